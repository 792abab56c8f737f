import type { Readable } from 'node:stream';
import { Type } from 'typebox';
import type { App } from '../app-type.js';
import { jsonList } from '../json-list.js';
import type { CompreFaceContext } from './context.js';
import { failures } from './format.js';
import { collectionOf, mayMakeGroups, SubjectSchema } from './requests.js';
import { checkSubject } from './subject-names.js';

const PATH = '/api/v1/recognition/subjects';
const Subject = Type.Object({ subject: SubjectSchema });
const SubjectsSchema = Type.Unsafe<Readable>(Type.Object({ subjects: Type.Array(Type.String()) }));
const Told = Type.Object({ subject: Type.String() });

/** The subjects of a collection: list, add, rename (or merge), delete. */
export function subjectRoutes(app: App, { collections, config, receipts }: CompreFaceContext): void {
  const { COMPREFACE_GROUP: group } = config;
  // The documentation writes the list's address with a slash at its end, the SDKs without.
  for (const url of [PATH, `${PATH}/`]) {
    app.get(
      url,
      {
        config: { access: 'recognise', slices: true },
        schema: { response: { 200: SubjectsSchema, ...failures } },
      },
      async (request, reply) => {
        const subjects = collections.namesOf(collectionOf(request, group)).list(request.gone);
        const around = { before: '{"subjects":', behind: '}' };
        return reply
          .type('application/json; charset=utf-8')
          .send(jsonList(subjects, (subject) => subject, around));
      },
    );
  }

  app.post(
    PATH,
    {
      config: { access: 'enrol', changes: true },
      schema: { body: Subject, response: { 201: Told, ...failures } },
    },
    async (request, reply) => {
      const subject = checkSubject(request.body.subject);
      const groupid = collectionOf(request, group);
      const { faceid } = await collections.addSubject(groupid, subject, mayMakeGroups(request));
      request.audited.did('people', faceid);
      return reply.status(201).send({ subject });
    },
  );

  app.put(
    `${PATH}/:subject`,
    {
      config: { access: 'enrol', changes: true },
      schema: {
        params: Subject,
        body: Subject,
        response: { 200: Type.Object({ updated: Type.Boolean() }), ...failures },
      },
    },
    async (request) => {
      const { params, body } = request;
      request.audited.note({ to: body.subject });
      return {
        updated: await collections.rename(
          collectionOf(request, group),
          params.subject,
          checkSubject(body.subject),
        ),
      };
    },
  );

  app.delete(
    `${PATH}/:subject`,
    {
      config: { access: 'enrol' },
      schema: { params: Subject, response: { 200: Told, ...failures } },
    },
    async (request, reply) => {
      const { subject, erased } = await collections.removeSubject(
        collectionOf(request, group),
        request.params.subject,
        ({ faceid }) => request.audited.did('people', faceid),
      );
      receipts.give(request, reply, erased);
      return { subject };
    },
  );

  app.delete(
    PATH,
    {
      config: { access: 'enrol' },
      schema: { response: { 200: Type.Object({ deleted: Type.Integer() }), ...failures } },
    },
    async (request, reply) => {
      const { subjects, erased } = await collections.removeAllSubjects(
        collectionOf(request, group),
        ({ faceid }) => request.audited.did('people', faceid),
      );
      receipts.give(request, reply, erased);
      return { deleted: subjects };
    },
  );
}
