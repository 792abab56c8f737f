import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { HTTPMethods, RouteOptions } from 'fastify';
import { testApp } from '../support/app.js';

const METHODS: HTTPMethods[] = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];

describe('an address that is asked by another method than it has', () => {
  it('says 405 and which there are, on each surface in its own form', async (t) => {
    const { app } = await testApp(t, { AUTH: 'key' });
    const bodies = {
      v1: ['statusCode', 'code', 'error', 'message', 'details'],
      maiface: ['result', 'mid', 'msg', 'groupid', 'userid', 'faceid'],
      compreface: ['message', 'code'],
    };
    for (const [method, url, allow, form] of [
      ['PUT', '/api/v1/people?limit=1', 'GET,HEAD,POST', bodies.v1],
      ['POST', '/api/v1/people/staff-ada', 'DELETE,GET,HEAD,PATCH', bodies.v1],
      ['GET', '/api/v1/detect', 'POST', bodies.v1],
      ['PUT', '/api/v1/keys/0123456789', 'DELETE,PATCH', bodies.v1],
      ['POST', '/add', 'GET,HEAD', bodies.v1],
      ['GET', '/api/face_register', 'POST', bodies.maiface],
      ['POST', '/api/staff/ada', 'DELETE', bodies.maiface],
      ['PUT', '/api/faceid_info/staff-ada', 'DELETE,GET,HEAD', bodies.maiface],
      ['PATCH', '/api/v1/recognition/subjects', 'DELETE,GET,HEAD,POST', bodies.compreface],
      ['GET', '/api/v1/detection/detect', 'POST', bodies.compreface],
    ] as const) {
      const answer = await app.inject({ method, url });
      const name = `${method} ${url}: ${answer.body}`;
      assert.deepEqual([answer.statusCode, answer.headers.allow], [405, allow], name);
      assert.deepEqual(Object.keys(answer.json<object>()), form, name);
    }
    const plain = await app.inject({ method: 'PUT', url: '/api/v1/groups' });
    assert.equal(plain.json<{ code: string }>().code, 'METHOD_NOT_ALLOWED');
    assert.match(
      plain.json<{ message: string }>().message,
      /PUT .*\/api\/v1\/groups: use GET or HEAD or POST/,
    );
  });

  it('deletes nobody whom that method would mean on another surface', async (t) => {
    const { app, gallery } = await testApp(t);
    await gallery.createGroup({ groupid: 'v1', groupname: 'v1' });
    await gallery.createPerson({ groupid: 'v1', userid: 'people' });
    const answer = await app.inject({ method: 'DELETE', url: '/api/v1/people' });
    assert.equal(answer.statusCode, 405, answer.body);
    assert.equal((await app.inject('/api/v1/people/v1-people')).statusCode, 200);
  });

  it('has every route in its `Allow`, and nothing else', async (t) => {
    const routes: RouteOptions[] = [];
    const { app } = await testApp(t, {}, { onRoute: (route) => routes.push(route) });
    const known = new Map<string, Set<HTTPMethods>>();
    for (const { url, method } of routes) {
      // Files, and addresses that are there twice, with a slash at the end: Fastify tells half of those.
      if (url.includes('*') || /(^\/docs|\/)$/.test(url)) continue;
      const methods = known.get(url) ?? new Set();
      for (const word of [method].flat()) methods.add(word);
      known.set(url, methods);
    }
    let refused = 0;
    for (const [pattern, methods] of known) {
      const url = pattern.replace(/:\w+/g, 'default');
      for (const method of METHODS.filter((word) => !methods.has(word))) {
        // `people` may be the name of somebody in a group `v1`, to maiface's address of a person.
        const others = [...known].filter(([other, has]) => other !== pattern && has.has(method));
        if (others.some(([other]) => new RegExp(`^${other.replace(/:\w+/g, '[^/]*')}$`).test(url))) continue;
        const answer = await app.inject({ method, url });
        assert.equal(answer.statusCode, 405, `${method} ${url}`);
        for (const word of methods)
          assert.match(String(answer.headers.allow), new RegExp(`\\b${word}\\b`), `${method} ${url}`);
        assert.doesNotMatch(String(answer.headers.allow), new RegExp(`\\b${method}\\b`));
        refused += 1;
      }
    }
    assert.ok(refused > 100, String(refused));
  });
});

describe('an address that is not there', () => {
  it('is answered in the form of the surface that it belongs to', async (t) => {
    const { app } = await testApp(t);
    for (const url of ['/api/v1/recognition/nothing', '/api/v1/detection/x/y', '/api/v1/verification/%zz']) {
      const answer = await app.inject(url);
      assert.deepEqual(
        [Math.floor(answer.statusCode / 100), answer.json<{ code: number }>().code],
        [4, 0],
        url,
      );
      assert.deepEqual(Object.keys(answer.json<object>()), ['message', 'code'], url);
    }
    for (const url of ['/api/v1/nothing', '/api/nothing', '/nothing', '/api/v1/recognitions/x', '/api/v1/']) {
      const answer = await app.inject(url);
      assert.deepEqual([answer.statusCode, answer.json<{ code: string }>().code], [404, 'NOT_FOUND'], url);
      assert.equal(answer.headers.allow, undefined);
    }
  });
});
