import { type ApiError, call } from './api.js';
import { isPassing, type Outcome, reasonOf } from './enrol.js';
import { words } from './i18n.js';
import type { PictureTray, TrayPicture } from './picture-tray.js';
import type { KnownPerson } from './whose-question.js';

interface OutcomesDeps {
  /** The server knows the face: whether this person is meant is to be asked. */
  onKnown: (person: KnownPerson) => void;
  /** The user says that a picture which was refused is meant. */
  onMeant: (picture: TrayPicture) => void;
}

/** Shows on each picture of an enrolment what became of it, and what can be done about it. */
export function createOutcomes(tray: PictureTray, { onKnown, onMeant }: OutcomesDeps) {
  /** The server knows the face though no answer named it before: it is not in the picture any more, or the page was too quick. */
  async function askByServer(picture: TrayPicture, error: ApiError): Promise<void> {
    const { faceid } = error.details ?? {};
    // A key that may not see that person's group is not told who it is.
    const known =
      typeof faceid === 'string'
        ? await call<KnownPerson>('GET', `/api/v1/people/${faceid}`).catch(() => undefined)
        : undefined;
    if (known) onKnown(known);
    else
      tray.mark(picture, 'odd', reasonOf(error), [
        { label: words.leaveOut, run: () => tray.leaveOut(picture) },
        { label: words.somebodyElse, run: () => onMeant(picture) },
      ]);
  }

  return {
    mark(picture: TrayPicture, result: Outcome): void {
      if (result.status !== 'refused') {
        tray.mark(picture, 'stored', result.status === 'already' ? words.pictureAlready : undefined);
        return;
      }
      const { error } = result;
      const leaveOut = { label: words.leaveOut, run: () => tray.leaveOut(picture) };
      if (isPassing(error)) {
        tray.mark(picture, 'waiting');
      } else if (error.code === 'NOT_THE_SAME_PERSON') {
        const meant = { label: words.sayItIsTheSame, run: () => onMeant(picture) };
        tray.mark(picture, 'odd', reasonOf(error), [leaveOut, meant]);
      } else if (error.code === 'OTHER_PERSON') {
        tray.mark(picture, 'waiting');
        void askByServer(picture, error);
      } else {
        tray.mark(picture, 'refused', reasonOf(error), [leaveOut]);
      }
    },
  };
}
