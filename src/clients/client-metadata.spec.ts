import { describe, expect, it } from 'vitest';
import { OAuthError } from '#libs/oauth';
import { documentHash, readClientMetadata, securityDiffers, type WireMetadata } from './client-metadata.js';

const WEB = 'https://app.example/callback';
const LOOPBACK = 'http://127.0.0.1:8976/callback';

const read = (members: WireMetadata, source: 'admin' | 'dcr' | 'cimd' = 'dcr', allowedSchemes: string[] = []) =>
  readClientMetadata(members, { source, allowedSchemes });

function refusalOf(members: WireMetadata, source: 'admin' | 'dcr' | 'cimd' = 'dcr'): string {
  try {
    read(members, source);
  } catch (error) {
    if (error instanceof OAuthError) return `${error.code}: ${error.description}`;
    throw error;
  }
  throw new Error('nothing was refused');
}

describe('what a client says of itself', () => {
  it('[7591.1] gets the defaults of a self-registered client when it says nothing but where to return', () => {
    expect(read({ redirect_uris: [WEB] })).toEqual({
      name: 'Unnamed client',
      redirectUris: [WEB],
      grantTypes: ['authorization_code', 'refresh_token'],
      responseTypes: ['code'],
      tokenEndpointAuthMethod: 'client_secret_basic',
      applicationType: 'web',
      agent: false,
      agentDescription: '',
      dpopBoundAccessTokens: false,
    });
  });

  it('takes null for absent, and a name without its margins', () => {
    const members = { redirect_uris: [WEB], client_name: '  Notes  ', grant_types: null, agent: null, logo_uri: null };
    expect(read(members)).toMatchObject({
      name: 'Notes',
      grantTypes: ['authorization_code', 'refresh_token'],
      agent: false,
    });
  });

  it('counts a redirect URI once', () => {
    expect(read({ redirect_uris: [WEB, WEB] }).redirectUris).toEqual([WEB]);
  });

  it.each([
    ['loopback only', [LOOPBACK, 'http://localhost/cb'], 'native'],
    ['a private-use scheme only', ['com.example.app:/cb'], 'native'],
    ['loopback and https', [LOOPBACK, WEB], 'web'],
  ])('[A26] makes the application type of %s, when it is omitted, %s', (_, redirect_uris, applicationType) => {
    const rules = { source: 'dcr', allowedSchemes: ['com.example.app'] } as const;
    expect(readClientMetadata({ redirect_uris }, rules).applicationType).toBe(applicationType);
  });

  it.each([
    ['http on a host', ['http://app.example/cb'], 'http is only for localhost'],
    ['javascript:', ['javascript:alert(1)'], 'scheme javascript is never allowed'],
    ['data:', ['data:text/html,hi'], 'scheme data is never allowed'],
    ['a fragment', [`${WEB}#x`], 'no fragment'],
    ['userinfo', ['https://bank.example@evil.example/'], 'no user name'],
    ['a backslash', ['https://app.example\\@evil.example/'], 'only the ASCII characters'],
    ['a tab', ['https://app.example/\tcb'], 'not allowed'],
    ['a private-use scheme nobody listed', ['cursor://callback'], 'not listed in oauth.allowed_redirect_schemes'],
    ['one bad among good', [WEB, 'http://app.example/cb'], 'http is only for localhost'],
  ])('[7591.2 A12 P7] refuses a redirect URI with %s, saying why', (_, redirect_uris, problem) => {
    expect(refusalOf({ redirect_uris })).toContain(problem);
  });

  it('[A26] refuses a private-use scheme to a client that calls itself a web application, listed or not', () => {
    const members = { redirect_uris: ['cursor://callback'], application_type: 'web' };
    expect(() => read(members, 'dcr', ['cursor'])).toThrow(OAuthError);
    expect(read({ ...members, application_type: 'native' }, 'dcr', ['cursor']).redirectUris).toEqual([
      'cursor://callback',
    ]);
  });

  it('lets an operator register any private-use scheme, but none that runs code', () => {
    expect(read({ redirect_uris: ['cursor://callback'] }, 'admin').redirectUris).toEqual(['cursor://callback']);
    expect(refusalOf({ redirect_uris: ['javascript:alert(1)'] }, 'admin')).toMatch(/^invalid_redirect_uri/);
  });

  const wrong: [string, WireMetadata, string][] = [
    ['redirect_uris missing', { redirect_uris: undefined }, 'invalid_redirect_uri: redirect_uris is required'],
    ['redirect_uris as text', { redirect_uris: WEB }, 'redirect_uris must be an array of strings'],
    ['a number among the redirects', { redirect_uris: [WEB, 1] }, 'each of redirect_uris must be a string'],
    ['51 redirects', { redirect_uris: Array.from({ length: 51 }, (_, n) => `${WEB}/${n}`) }, 'may contain 50 URIs'],
    ['a name that is a number', { client_name: 1 }, 'client_name must be a string'],
    ['a name of 201 characters', { client_name: 'x'.repeat(201) }, 'client_name may have 200 characters'],
    ['a name with a line break', { client_name: 'Notes\nTrusted by your bank' }, 'characters that are not allowed'],
    ['a name that turns the text around', { client_name: 'Notes \u202eknab' }, 'characters that are not allowed'],
    ['a name with half a surrogate', { client_name: 'x\ud800' }, 'characters that are not allowed'],
    ['a name of nothing to be seen', { client_name: '\u3164' }, 'characters that are not allowed'],
    ['a name of an empty Braille pattern', { client_name: '\u2800' }, 'characters that are not allowed'],
    ['a name with a soft hyphen', { client_name: 'No\u00adtes' }, 'characters that are not allowed'],
    ['a name with a grapheme joiner', { client_name: 'No\u034ftes' }, 'characters that are not allowed'],
    ['a name with a vowel separator', { client_name: 'No\u180etes' }, 'characters that are not allowed'],
    ['a name with a variation selector', { client_name: 'Notes\ufe0f' }, 'characters that are not allowed'],
    ['a name with tag characters', { client_name: 'Notes\u{e0041}' }, 'characters that are not allowed'],
    ['a name with a joiner at its end', { client_name: 'Notes\u200d' }, 'characters that are not allowed'],
    ['a name with a joiner beside a space', { client_name: 'My \u200cNotes' }, 'characters that are not allowed'],
    ['a name with two joiners in a row', { client_name: 'No\u200c\u200ctes' }, 'characters that are not allowed'],
    ['a name with NUL', { client_name: 'x\u0000' }, 'characters that are not allowed'],
    ['the implicit grant', { grant_types: ['implicit'] }, 'grant_types may contain authorization_code, refresh_token'],
    [
      'client_credentials',
      { grant_types: ['client_credentials'] },
      'grant_types may contain authorization_code, refresh_token',
    ],
    ['no grant at all', { grant_types: [] }, 'grant_types must contain one of authorization_code, refresh_token'],
    ['refresh_token alone', { grant_types: ['refresh_token'] }, 'refresh_token needs authorization_code'],
    ['response type token', { response_types: ['token'] }, 'response_types must be code'],
    [
      'an unknown auth method',
      { token_endpoint_auth_method: 'tls_client_auth' },
      'must be one of none, client_secret_basic',
    ],
    ['an unknown application type', { application_type: 'service' }, 'application_type must be one of web, native'],
    ['agent as text', { agent: 'yes' }, 'agent must be true or false'],
    ['a long agent description', { agent_description: 'x'.repeat(256) }, 'agent_description may have 255 characters'],
    ['a logo that runs code', { logo_uri: 'javascript:alert(1)' }, 'logo_uri must be an https URL'],
  ];
  it.each(wrong)('[7591.2] refuses %s, naming the member and what is allowed', (_, change, problem) => {
    expect(refusalOf({ redirect_uris: [WEB], ...change })).toContain(problem);
  });

  it.each(['\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645', '\u0915\u094d\u200d\u0937'])(
    'takes a joiner within a word: %s',
    (name) => {
      expect(read({ redirect_uris: [WEB], client_name: name }).name).toBe(name);
    },
  );

  it('[M10] refuses a page or picture of a scheme that runs code', () => {
    for (const name of ['client_uri', 'logo_uri', 'policy_uri', 'tos_uri']) {
      expect(refusalOf({ redirect_uris: [WEB], [name]: 'data:text/html,x' })).toContain(`${name} must be`);
    }
  });
});

describe('what an operator says of a client', () => {
  it('may name every grant, and no redirect when none is needed', () => {
    const machine = { client_name: 'Batch', grant_types: ['client_credentials'] };
    expect(read(machine, 'admin')).toMatchObject({
      redirectUris: [],
      responseTypes: [],
      grantTypes: ['client_credentials'],
    });
  });

  it('cannot give client_credentials to a client that has no secret', () => {
    const machine = { grant_types: ['client_credentials'], token_endpoint_auth_method: 'none' };
    expect(refusalOf(machine, 'admin')).toContain(
      'client_credentials needs a token_endpoint_auth_method other than none',
    );
  });
});

describe('what a metadata document says of a client', () => {
  const document = { client_name: 'Desk', redirect_uris: [LOOPBACK] };

  it('[A17] needs a name and a redirect URI', () => {
    expect(refusalOf({ ...document, client_name: ' ' }, 'cimd')).toContain('client_name is required');
    expect(refusalOf({ ...document, redirect_uris: [] }, 'cimd')).toContain('redirect_uris is required');
  });

  it('is a public client, since whatever stands in a document is public', () => {
    expect(read(document, 'cimd').tokenEndpointAuthMethod).toBe('none');
  });

  it.each(['client_secret_basic', 'client_secret_post', 'client_secret_jwt'])(
    '[M6] may not name %s',
    (token_endpoint_auth_method) => {
      expect(refusalOf({ ...document, token_endpoint_auth_method }, 'cimd')).toContain(
        'must be none or private_key_jwt',
      );
    },
  );

  it('[M13] may name private_key_jwt, with keys', () => {
    const method = { token_endpoint_auth_method: 'private_key_jwt' };
    const jwks_uri = 'https://keys.acme-agents.dev/jwks';
    expect(read({ ...document, ...method, jwks_uri }, 'cimd')).toMatchObject({
      tokenEndpointAuthMethod: 'private_key_jwt',
      jwksUri: jwks_uri,
    });
    expect(refusalOf({ ...document, ...method }, 'cimd')).toContain('needs jwks or jwks_uri');
  });

  it('may name grants for other servers, which count for nothing here', () => {
    const grant_types = ['authorization_code', 'urn:ietf:params:oauth:grant-type:jwt-bearer'];
    const response_types = ['code', 'code id_token'];
    expect(read({ ...document, grant_types, response_types }, 'cimd')).toMatchObject({
      grantTypes: ['authorization_code'],
      responseTypes: ['code'],
    });
    expect(refusalOf({ ...document, grant_types: ['client_credentials'] }, 'cimd')).toContain('must contain one of');
  });
});

describe('a change of metadata', () => {
  const before = read({ redirect_uris: [WEB], client_name: 'Notes' });

  it('of the keys asks again, in whatever order a database gives their members back', () => {
    const keys = [{ kty: 'EC', crv: 'P-256', x: 'AA', y: 'BB', kid: 'a' }];
    const turned = [{ kid: 'a', y: 'BB', x: 'AA', crv: 'P-256', kty: 'EC' }];
    const [a, b] = [
      { ...before, keys },
      { ...before, keys: turned },
    ];
    expect([securityDiffers(a, b), securityDiffers(before, a)]).toEqual([false, true]);
    expect(documentHash(a)).toEqual(documentHash(b));
    expect(documentHash(a)).not.toEqual(documentHash(before));
    expect(securityDiffers(before, { ...before, jwksUri: 'https://keys.acme-agents.dev/jwks' })).toBe(true);
  });

  it('asks people again when redirects or the auth method changed, not for a new name', () => {
    expect(securityDiffers(before, { ...before, name: 'Other' })).toBe(false);
    expect(securityDiffers(before, { ...before, redirectUris: [WEB, LOOPBACK] })).toBe(true);
    expect(securityDiffers(before, { ...before, tokenEndpointAuthMethod: 'none' })).toBe(true);
  });

  it('changes the hash when it changes anything that is taken', () => {
    expect(documentHash({ ...before })).toEqual(documentHash(before));
    expect(documentHash({ ...before, name: 'Other' })).not.toEqual(documentHash(before));
  });
});
