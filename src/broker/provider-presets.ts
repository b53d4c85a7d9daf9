/**
 * What is known about some providers, so that an operator says no more than `preset` and whose client this is. A member that the
 * operator sets wins.
 */
export const presets = {
  github: {
    authorize_url: 'https://github.com/login/oauth/authorize',
    token_url: 'https://github.com/login/oauth/access_token',
    token_auth_method: 'client_secret_post',
    answer_scope_separator: ',',
    // An OAuth App gives a token that does not expire; a GitHub App may give one that does, with a refresh token.
    refresh_token: 'optional',
    revocation_url: 'https://api.github.com/applications/{client_id}/grant',
    revocation_format: 'github',
    account_url: 'https://api.github.com/user',
    account_member: 'login',
  },
  google: {
    authorize_url: 'https://accounts.google.com/o/oauth2/v2/auth',
    token_url: 'https://oauth2.googleapis.com/token',
    token_auth_method: 'client_secret_post',
    revocation_url: 'https://oauth2.googleapis.com/revoke',
    issuer: 'https://accounts.google.com',
    // Without both, Google gives no refresh token from the second time on.
    extra_auth_params: { access_type: 'offline', prompt: 'consent' },
    account_url: 'https://openidconnect.googleapis.com/v1/userinfo',
    account_member: 'email',
  },
  slack: {
    authorize_url: 'https://slack.com/oauth/v2/authorize',
    token_url: 'https://slack.com/api/oauth.v2.access',
    token_auth_method: 'client_secret_post',
    response_format: 'slack',
    scope_parameter: 'user_scope',
    scope_separator: ',',
    pkce: false,
    refresh_token: 'optional',
    revocation_url: 'https://slack.com/api/auth.revoke',
    revocation_format: 'bearer',
    account_member: 'authed_user.id',
  },
  notion: {
    authorize_url: 'https://api.notion.com/v1/oauth/authorize',
    token_url: 'https://api.notion.com/v1/oauth/token',
    token_auth_method: 'client_secret_basic',
    extra_auth_params: { owner: 'user' },
    pkce: false,
    refresh_token: 'optional',
    account_member: 'workspace_name',
  },
  linear: {
    authorize_url: 'https://linear.app/oauth/authorize',
    token_url: 'https://api.linear.app/oauth/token',
    token_auth_method: 'client_secret_post',
    scope_separator: ',',
    extra_auth_params: { prompt: 'consent' },
    refresh_token: 'optional',
    revocation_url: 'https://api.linear.app/oauth/revoke',
  },
  atlassian: {
    authorize_url: 'https://auth.atlassian.com/authorize',
    token_url: 'https://auth.atlassian.com/oauth/token',
    token_auth_method: 'client_secret_post',
    extra_auth_params: { audience: 'api.atlassian.com', prompt: 'consent' },
    always_scopes: ['offline_access'],
  },
  generic: {},
} as const satisfies Record<string, object>;

export type Preset = keyof typeof presets;

export const presetNames = Object.keys(presets) as readonly Preset[];
