import type { FastifyReply } from 'fastify';

/**
 * What a caller says it takes (`Accept`, `Accept-Encoding`, `Accept-Language`), best first, in lower case; what it refuses
 * (`q=0`) is left out. Takes time in proportion to the header.
 */
export function acceptedOf(header: string | undefined): string[] {
  return (header ?? '')
    .toLowerCase()
    .split(',')
    .map((part) => {
      const [name, ...parameters] = part.split(';').map((word) => word.trim());
      const weight = parameters.find((word) => word.startsWith('q='));
      return { name, weight: weight === undefined ? 1 : Number(weight.slice(2)) };
    })
    .filter(({ name, weight }) => name !== '' && weight > 0)
    .sort((a, b) => b.weight - a.weight)
    .map(({ name }) => name);
}

/** Tells caches that an answer depends on a header, too. */
export function addVary(reply: FastifyReply, ...headers: string[]): void {
  const before = reply.getHeader('vary');
  reply.header('vary', [...(before === undefined ? [] : [before].flat()), ...headers].join(', '));
}
