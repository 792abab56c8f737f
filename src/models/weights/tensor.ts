import { KaomonError } from '../../platform/errors.js';

/** Numbers with a shape, row-major. */
export interface Tensor {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** @throws KaomonError SETUP when a tensor of the file `source` does not have the wanted shape; left out: any will do */
export function checkShape(
  source: string,
  name: string,
  { shape }: Pick<Tensor, 'shape'>,
  wanted = shape,
): void {
  if (wanted.join() === shape.join()) return;
  throw new KaomonError(
    'SETUP',
    `${source}: "${name}" has the shape [${shape.join(', ')}], not [${wanted.join(', ')}].`,
  );
}
