import 'reflect-metadata';
import type { Server } from 'node:http';
import type { LoggerService } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import type { Express } from 'express';
import { AppModule, type Foundation } from './app.module.js';
import { parseListenAddress } from './config/listen-address.js';
import { LeanTokenEndpoint } from './grants/lean-token-endpoint.js';
import { configureHttp } from './platform/http/configure.js';
import { inFrontOf } from './platform/http/lean.js';
import { MetricsEndpoint } from './platform/telemetry/metrics-endpoint.js';
import { closeListeners, openListener } from './platform/http/listeners.js';

export interface Application {
  /** Stops accepting, finishes what is in flight, closes everything the application opened. The database is not its own. */
  close(): Promise<void>;
}

/** Builds the application on a database that is there and migrated, and opens its listeners. What fails leaves nothing open. */
export async function startApplication(foundation: Foundation, logger: LoggerService): Promise<Application> {
  const { config } = foundation;
  const app = await NestFactory.create<NestExpressApplication>(AppModule.of(foundation), {
    bodyParser: false,
    routeConflictPolicy: { duplicate: 'error' },
    logger,
    abortOnError: false,
  });
  const servers: Server[] = [];
  const close = async (): Promise<void> => {
    await closeListeners(servers, config.server.shutdownWaitSeconds);
    await app.close();
  };
  try {
    const doors = configureHttp(app, config);
    await app.init();
    const express: Express = app.getHttpAdapter().getInstance();
    const handler = inFrontOf(express, doors, [app.get(LeanTokenEndpoint)], config.server.issuer);
    const { pathname } = config.issuerUrl;
    if (config.server.role !== 'worker')
      servers.push(await listen(openListener('public', handler, pathname.replace(/\/$/, '')), config.server.address));
    if (config.admin.enabled) {
      const metrics = app.get(MetricsEndpoint);
      const operators = inFrontOf(express, doors, metrics.served ? [metrics] : [], config.server.issuer);
      servers.push(await listen(openListener('admin', operators), config.admin.address));
    }
  } catch (error) {
    await close();
    throw error;
  }
  for (const server of servers) {
    server.requestTimeout = config.server.readTimeoutSeconds * 1000;
    server.keepAliveTimeout = config.server.idleTimeoutSeconds * 1000;
  }
  return { close };
}

function listen(server: Server, address: string): Promise<Server> {
  const { host, port } = parseListenAddress(address) ?? { port: 0 };
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port }, () => resolve(server.off('error', reject)));
  });
}
