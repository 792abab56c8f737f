import type { RouteOptions } from 'fastify';
import type { TSchema } from 'typebox';
import type { App } from '../app-type.js';
import { ErrorSchema } from '../schemas.js';

/** Statuses that the hooks before a handler may answer. */
const OF_ALL = [403, 429, 503];
const OF_CLOSED = [401];

/**
 * Declares on each route the statuses that are answered before its handler runs, so that no route has to repeat them.
 * @param onRoute told of each route: for tests that walk them all
 */
export function registerRouteAccess(app: App, onRoute?: (route: RouteOptions) => void): void {
  app.addHook('onRoute', (route) => {
    // The route that @fastify/cors registers for preflights; it answers them before anybody is asked for a key.
    if (route.url === '*' && route.method === 'OPTIONS') route.config = { ...route.config, access: 'public' };
    onRoute?.(route);
    const response = route.schema?.response as Record<string, TSchema | undefined> | undefined;
    if (!response) return;
    const body = response[500] ?? ErrorSchema;
    const statuses = route.config?.access === 'public' ? OF_ALL : [...OF_CLOSED, ...OF_ALL];
    for (const status of statuses) response[status] ??= body;
  });
}
