import type { Box } from '../logic/geometry.js';
import { ApiError, call } from './api.js';
import { isPassing, reasonOf } from './enrol.js';
import { words } from './i18n.js';
import { cropFace } from './picture.js';
import type { PictureTray } from './picture-tray.js';
import type { KnownPerson } from './whose-question.js';

/** A face smaller than this part of the largest one is in the background, as it is for the server. */
const BACKGROUND = 0.5;

interface Recognition {
  width: number;
  height: number;
  faces: { box: Box; matches: KnownPerson[] }[];
}

/** A face in a picture file. */
interface FileFace {
  /** The face with a margin in which the server finds it again. */
  picture: Blob;
  thumb: Blob;
  /** Who it is; undefined for an unknown face. */
  match: KnownPerson | undefined;
}

/**
 * Asks the server whose faces are in a picture file.
 * @returns those that may be meant, largest first; undefined where this browser cannot read the file, so that none can be cut out
 * @throws ApiError; NO_FACE when there is none
 */
async function facesInFile(file: Blob): Promise<FileFace[] | undefined> {
  const body = new FormData();
  body.append('image', file, 'picture.jpg');
  const { width, height, faces } = await call<Recognition>('POST', '/api/v1/recognise', { body });
  if (faces.length === 0) throw new ApiError(422, 'NO_FACE', '');
  let bitmap: ImageBitmap;
  try {
    bitmap = await createImageBitmap(file);
  } catch {
    return undefined;
  }
  try {
    const side = ({ box }: { box: Box }) => Math.min(box.width, box.height);
    const largest = Math.max(...faces.map(side));
    const meant = faces.filter((face) => side(face) >= largest * BACKGROUND);
    return await Promise.all(
      meant.map(async ({ box, matches }) => {
        const part = {
          x: box.x / width,
          y: box.y / height,
          width: box.width / width,
          height: box.height / height,
        };
        const [picture, thumb] = await Promise.all([cropFace(bitmap, part), cropFace(bitmap, part, 0.2)]);
        return { picture, thumb, match: matches.at(0) };
      }),
    );
  } finally {
    bitmap.close();
  }
}

interface FileEvents {
  onKnown: (person: KnownPerson) => void;
  /** None of the files is a picture. */
  onNone: () => void;
  /** Before the first picture is added. */
  onAdded: () => void;
}

/**
 * Takes pictures from files, chosen or dropped anywhere on the page. Of a picture with several faces the user says which one is
 * meant.
 */
export function createPictureFiles(
  drop: HTMLElement,
  input: HTMLInputElement,
  tray: PictureTray,
  events: FileEvents,
): void {
  async function add(file: File): Promise<void> {
    const picture = tray.add(file, 'looking', undefined);
    const leaveOut = { label: words.leaveOut, run: () => tray.leaveOut(picture) };
    const use = ({ match }: FileFace) => {
      tray.mark(picture, 'waiting');
      if (match) events.onKnown(match);
    };
    try {
      const faces = await facesInFile(file);
      if (faces?.length === 1) {
        tray.replace(picture, file, faces[0].thumb);
        use(faces[0]);
      } else if (faces) {
        const choices = faces.map((face, i) => ({
          label: words.faceNumber(i + 1),
          picture: face.thumb,
          run: () => {
            tray.replace(picture, face.picture, face.thumb);
            use(face);
          },
        }));
        tray.mark(picture, 'choose', words.whichFace, [...choices, leaveOut]);
      } else tray.mark(picture, 'waiting');
    } catch (error) {
      // While the server is away nothing is wrong with the picture: it is looked at when it is enrolled.
      if (isPassing(error) || !(error instanceof ApiError)) tray.mark(picture, 'waiting');
      else tray.mark(picture, 'refused', reasonOf(error), [leaveOut]);
    }
  }

  async function addAll(chosen: Iterable<File>): Promise<void> {
    const pictures = [...chosen].filter(({ type }) => type === '' || type.startsWith('image/'));
    if (pictures.length === 0) events.onNone();
    else events.onAdded();
    for (const picture of pictures) await add(picture);
  }

  input.addEventListener('change', () => {
    const chosen = [...(input.files ?? [])];
    input.value = '';
    void addAll(chosen);
  });
  for (const kind of ['dragenter', 'dragover'] as const) {
    document.addEventListener(kind, (event) => {
      event.preventDefault();
      drop.classList.add('over');
    });
  }
  document.addEventListener('dragleave', (event) => {
    if (!event.relatedTarget) drop.classList.remove('over');
  });
  document.addEventListener('drop', (event) => {
    event.preventDefault();
    drop.classList.remove('over');
    void addAll([...(event.dataTransfer?.files ?? [])]);
  });
}
