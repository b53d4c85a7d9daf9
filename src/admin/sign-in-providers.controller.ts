import { Delete, Get, HttpCode, Param, Patch, Post } from '@nestjs/common';
import { SignInProviders } from '../accounts/sign-in-providers.js';
import { Config } from '../config/config.js';
import { RawJsonBody } from '../platform/http/body.js';
import { DeleteQuery } from './list.dto.js';
import { OperatorController } from './operator-controller.js';
import { NameOf } from './path-id.js';
import { notFound } from './problem.js';
import { QueryParameters } from './query-parameters.js';
import { configuredViews, toMembers, toSignInProviderView } from './sign-in-provider.dto.js';

const Slug = (): ParameterDecorator => Param('slug', new NameOf('sign_in_provider'));

/**
 * Where people sign in. Those of the configuration are shown and not changed. There are few, so that the list has no pages. Members are
 * those of `oidc.providers`, checked by the same rules.
 */
@OperatorController('sign-in-providers')
export class SignInProvidersController {
  constructor(
    private readonly providers: SignInProviders,
    private readonly config: Config,
  ) {}

  @Get()
  async list(): Promise<object> {
    return { sign_in_providers: await this.#all() };
  }

  @Post()
  async create(@RawJsonBody() body: string): Promise<object> {
    return toSignInProviderView(await this.providers.create(toMembers(body)), this.config);
  }

  @Get(':slug')
  async get(@Slug() slug: string): Promise<object> {
    const provider = (await this.#all()).find((each) => each.slug === slug);
    if (!provider) throw notFound('sign_in_provider');
    return provider;
  }

  @Patch(':slug')
  async update(@Slug() slug: string, @RawJsonBody() body: string): Promise<object> {
    return toSignInProviderView(await this.providers.patch(slug, toMembers(body)), this.config);
  }

  @Delete(':slug')
  @HttpCode(204)
  async delete(@Slug() slug: string, @QueryParameters() { force }: DeleteQuery): Promise<void> {
    await this.providers.remove(slug, { force: force === 'true' });
  }

  /** What the configuration says wins over a row with the same slug, which is shown as what it is: not in use. */
  async #all() {
    const configured = configuredViews(this.config);
    const taken = new Set(configured.map(({ slug }) => slug));
    const stored = (await this.providers.list()).map((provider) => toSignInProviderView(provider, this.config));
    return [...configured, ...stored.filter(({ slug }) => !taken.has(slug))];
  }
}
