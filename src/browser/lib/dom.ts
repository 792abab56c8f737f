/**
 * An element of the page's own HTML, by its ID.
 * @throws Error when there is none of that kind: page and script do not belong together
 */
export function element<T extends HTMLElement>(id: string, kind: new () => T): T {
  const found = document.getElementById(id);
  if (found instanceof kind) return found;
  throw new Error(`The page has no ${kind.name} #${id}.`);
}

type Properties<K extends keyof HTMLElementTagNameMap> = Partial<
  Omit<HTMLElementTagNameMap[K], 'dataset' | 'style' | 'children'>
> & { data?: Record<string, string> };

/** Makes an element; text is never read as HTML. Properties that are undefined are left alone. */
export function make<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  { data, ...properties }: Properties<K> = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries<unknown>(properties)) {
    if (value !== undefined) Object.assign(made, { [name]: value });
  }
  Object.assign(made.dataset, data);
  made.append(...children);
  return made;
}

/** The drawing context of a canvas. @throws Error where the browser has none left */
export function contextOf(canvas: HTMLCanvasElement): CanvasRenderingContext2D {
  const context = canvas.getContext('2d');
  if (context) return context;
  throw new Error('This browser cannot draw on a canvas.');
}

/** Gives a canvas its size in pixels; one that has it already keeps what is drawn on it. @returns whether it had another */
export function sizeCanvas(canvas: HTMLCanvasElement, width: number, height: number): boolean {
  if (canvas.width === width && canvas.height === height) return false;
  canvas.width = width;
  canvas.height = height;
  return true;
}

/** Encodes a canvas as JPEG. @throws Error when it holds no pixels */
export function toJpeg(canvas: HTMLCanvasElement, quality: number): Promise<Blob> {
  return new Promise((resolve, reject) => {
    canvas.toBlob(
      (blob) => {
        if (blob) resolve(blob);
        else reject(new Error('The canvas is empty.'));
      },
      'image/jpeg',
      quality,
    );
  });
}

/** A choice that this browser remembers; null when there is none, or when the browser stores nothing. */
export function recall(name: string): string | null {
  try {
    return localStorage.getItem(`kaomon.${name}`);
  } catch {
    return null;
  }
}

/** Remembers a choice in this browser, if it allows that. */
export function remember(name: string, value: string): void {
  try {
    localStorage.setItem(`kaomon.${name}`, value);
  } catch {
    // The page works without it.
  }
}
