import fastJsonStringify from 'fast-json-stringify';
import type { FastifySerializerCompiler } from 'fastify';

/**
 * As Fastify's own, but a schema is compiled when it is first answered by, in some milliseconds. All of them at once
 * take as long as all else of a worker's app, and most are of errors that never come.
 */
export const serializerCompiler: FastifySerializerCompiler<unknown> = ({ schema }) => {
  let serialize: ((data: unknown) => string) | undefined;
  return (data: unknown) => {
    serialize ??= fastJsonStringify(schema as Parameters<typeof fastJsonStringify>[0]);
    return serialize(data);
  };
};
