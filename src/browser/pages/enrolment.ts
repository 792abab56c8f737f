import { messageOf } from '../lib/api.js';
import { createCameraMenu } from '../lib/camera-menu.js';
import { element, make } from '../lib/dom.js';
import { dropDraft, keepDraft } from '../lib/draft.js';
import { isPassing, type Outcome, sendPicturesKnowing, settlePerson, unmakePerson } from '../lib/enrol.js';
import { fillInPerson } from '../lib/enrolment-begin.js';
import { createFeedback } from '../lib/feedback.js';
import { createGuidedCamera, type Shot } from '../lib/guided-camera.js';
import { words } from '../lib/i18n.js';
import { createPersonFields, type NewPerson } from '../lib/person-fields.js';
import { createPictureFiles } from '../lib/picture-files.js';
import { createOutcomes } from '../lib/picture-outcomes.js';
import { createPictureTray, type TrayPicture } from '../lib/picture-tray.js';
import { openPage } from '../lib/shell.js';
import { createWhoseQuestion, type KnownPerson } from '../lib/whose-question.js';

openPage();

const form = element('form', HTMLFormElement);
const start = element('start', HTMLButtonElement);
const enrol = element('enrol', HTMLButtonElement);
const next = element('next', HTMLButtonElement);
const capture = element('capture', HTMLButtonElement);
const withoutTurning = element('without-turning', HTMLButtonElement);
const outcome = element('outcome', HTMLElement);
const swap = element('swap', HTMLElement);

/** `who`: a person is being named; `taking`: pictures are taken; `done`: some of them are stored. */
let phase: 'who' | 'taking' | 'sending' | 'done' = 'who';
/** The person to whom the pictures are added, when the user said so; undefined: the one in the fields. */
let target: KnownPerson | undefined;
/** The person whom an earlier try has settled on: a second one must not make another. */
let settled: { person: NewPerson; made: boolean } | undefined;
/** The pictures that the camera took. */
let shots = new Map<Shot, TrayPicture>();
let mayEnrol = true;

const fields = createPersonFields();
const feedback = createFeedback(element('sound', HTMLInputElement));
const tray = createPictureTray(element('pictures', HTMLUListElement), element('troubles', HTMLUListElement), {
  onRemoved(picture) {
    for (const [shot, taken] of shots) {
      if (taken !== picture) continue;
      shots.delete(shot);
      camera.forget(shot);
    }
  },
  onChange: show,
});
const question = createWhoseQuestion(element('question', HTMLElement), {
  onThem(person) {
    target = person;
    settled = undefined;
    if (phase === 'who') phase = 'taking';
    show();
  },
  onOther: show,
  onChange: show,
});
const marks = createOutcomes(tray, {
  onKnown: (person) => question.ask(person),
  onMeant: (picture) => void send(picture),
});
const camera = createGuidedCamera(
  {
    stage: element('stage', HTMLElement),
    advice: element('advice', HTMLElement),
    guide: element('guide', HTMLUListElement),
    onCamera: (opened) => void menu.fill(opened),
  },
  {
    onShot(shot) {
      shots.set(shot, tray.add(shot.blob, 'waiting', shot.thumb));
      feedback.pictureTaken();
      sayOther('');
      show();
    },
    onDropped(dropped) {
      for (const shot of dropped) {
        const picture = shots.get(shot);
        shots.delete(shot);
        if (picture) tray.remove(picture);
      }
    },
    onOther(count) {
      phase = 'who';
      target = undefined;
      question.clear();
      sayOther(words.otherFace(count));
      show();
      start.focus({ preventScroll: true });
    },
    onKnown: ({ faceid, groupid, userid, username }) =>
      ask({ faceid, groupid: groupid ?? '', userid: userid ?? '', username: username ?? '' }),
    onProgress: show,
  },
);
const menu = createCameraMenu(element('camera', HTMLSelectElement), (choice) => camera.choose(choice));
createPictureFiles(element('drop', HTMLElement), element('files', HTMLInputElement), tray, {
  onKnown: ask,
  onNone: () => say(words.noPictures, 'bad'),
  onAdded() {
    if (phase === 'done') startAnew();
  },
});

/** Asks whether somebody who is enrolled is meant, unless it is the person whose link this page was opened by. */
function ask(person: KnownPerson): void {
  const { groupid, userid } = target ?? fields.typed;
  if (phase === 'done' || (userid !== '' && person.faceid === `${groupid}-${userid}`)) return;
  question.ask(person);
}

function say(text: string, kind: 'good' | 'bad' | '' = ''): void {
  outcome.textContent = text;
  outcome.className = `outcome ${kind}`;
}

function sayOther(text: string): void {
  swap.hidden = text === '';
  element('swap-text', HTMLElement).textContent = text;
}

const nameOf = ({ username, userid }: Pick<NewPerson, 'username' | 'userid'>) => username || userid;

function show(): void {
  const isWho = phase === 'who';
  document.body.dataset.phase = phase;
  element('who', HTMLElement).hidden = !isWho;
  element('whom', HTMLElement).hidden = isWho;
  element('change', HTMLElement).hidden = phase !== 'taking';
  element('whom-name', HTMLElement).textContent = nameOf(target ?? fields.typed);
  element('whom-group', HTMLElement).textContent = target ? words.addedToThem : fields.groupName;
  const usable = tray.inState('waiting', 'odd', 'choose', 'looking', 'sending').length;
  start.hidden = !isWho;
  enrol.hidden =
    phase === 'done' ? tray.inState('waiting').length === 0 : question.open || (isWho && usable === 0);
  enrol.className = phase === 'taking' || phase === 'sending' ? 'primary large' : 'large';
  enrol.disabled = phase === 'sending';
  next.hidden = phase !== 'done';
  capture.hidden = !camera.running || camera.done;
  withoutTurning.hidden = !camera.stalled;
  const taken = tray.inState('waiting', 'stored').length;
  const count =
    phase === 'taking' && shots.size > 0 ? words.takenOf(taken, Math.max(taken, camera.enough)) : '';
  const counter = element('count', HTMLElement);
  if (counter.textContent !== count) counter.textContent = count;
}

/** Begins to take pictures of the person who is named. */
function begin(): void {
  if (!mayEnrol || !fields.check()) return;
  feedback.prepare();
  sayOther('');
  say('');
  phase = 'taking';
  camera.start();
  show();
  enrol.focus({ preventScroll: true });
}

/** Sends the pictures. Those that the server could not look at stay ready. */
async function send(force?: TrayPicture): Promise<void> {
  const pictures = force ? [force] : tray.inState('waiting', 'odd');
  if (pictures.length === 0) {
    say(tray.inState('choose').length > 0 ? words.chooseFirst : words.needsPicture, 'bad');
    return;
  }
  const before = phase;
  phase = 'sending';
  camera.pause();
  say(words.enrolling);
  for (const picture of pictures) tray.mark(picture, 'sending');
  try {
    if (target) settled = { person: { ...target, username: '' }, made: false };
    else settled ??= await settlePerson(await fields.read());
    const outcomes = await sendPicturesKnowing(
      settled.person,
      pictures.map(({ blob }) => blob),
      {
        force: force !== undefined,
        isDenied: question.isDenied,
      },
    );
    pictures.forEach((picture, i) => marks.mark(picture, outcomes[i]));
    await conclude(outcomes, target ?? settled.person);
  } catch (error) {
    for (const picture of pictures) if (picture.state === 'sending') tray.mark(picture, 'waiting');
    phase = before === 'done' ? 'done' : 'taking';
    say(isPassing(error) ? words.tryAgainLater(messageOf(error)) : messageOf(error), 'bad');
  }
  enrol.textContent = phase === 'taking' && tray.inState('waiting').length > 0 ? words.tryAgain : words.enrol;
  show();
  if (!next.hidden) next.focus({ preventScroll: true });
  else if (!enrol.hidden) enrol.focus({ preventScroll: true });
  else if (question.open) question.focus();
}

async function conclude(outcomes: readonly Outcome[], person: Pick<NewPerson, 'username' | 'userid'>) {
  const stored = tray.inState('stored').length;
  const passing = outcomes.find((result) => result.status === 'refused' && isPassing(result.error));
  if (stored > 0) {
    phase = 'done';
    camera.stop();
    dropDraft();
    question.clear();
    const already = outcomes.every(({ status }) => status === 'already');
    const left = tray.inState('odd', 'refused', 'waiting').length;
    const told = already ? words.enrolledAlready(nameOf(person)) : words.enrolledWith(nameOf(person), stored);
    say(left > 0 ? `${told}${words.sentenceSpace}${words.notStored(left)}` : told, 'good');
    return;
  }
  phase = 'taking';
  if (passing?.status === 'refused') {
    say(words.tryAgainLater(messageOf(passing.error)), 'bad');
    return;
  }
  if (settled?.made) {
    const { person: made } = settled;
    settled = undefined;
    await unmakePerson(made);
  }
  say(words.nothingStored, 'bad');
}

function startAnew(): void {
  phase = 'who';
  target = settled = undefined;
  shots = new Map();
  camera.stop();
  tray.clear();
  fields.clear();
  question.clear();
  sayOther('');
  dropDraft();
  enrol.textContent = words.enrol;
  say('');
  show();
  fields.username.focus({ preventScroll: true });
}

async function fillIn(): Promise<void> {
  const told = await fillInPerson(fields, show);
  show();
  if (!told) return;
  mayEnrol = told.mayEnrol;
  start.disabled = !mayEnrol;
  say(told.text, 'bad');
}

element('who', HTMLElement).append(make('h2', {}, words.person), fields.root);
fields.root.addEventListener('input', () => {
  settled = undefined;
  keepDraft(fields.typed);
});
fields.root.addEventListener('change', () => keepDraft(fields.typed));
element('change', HTMLButtonElement).addEventListener('click', () => {
  target = settled = undefined;
  phase = 'who';
  camera.pause();
  show();
  fields.username.focus();
});
element('put-back', HTMLButtonElement).addEventListener('click', () => {
  phase = 'taking';
  camera.putBack();
  sayOther('');
  show();
  enrol.focus({ preventScroll: true });
});
capture.addEventListener('click', () => {
  if (!camera.takeNow()) say(words.noFaceNow, 'bad');
});
withoutTurning.addEventListener('click', () => {
  camera.withoutTurning();
  enrol.focus({ preventScroll: true });
});
next.addEventListener('click', startAnew);
form.addEventListener('submit', (event) => {
  event.preventDefault();
  if (phase === 'sending') return;
  if (event.submitter !== enrol) begin();
  else if (question.open) question.focus();
  else if (fields.check()) void send();
  else if (phase !== 'who') {
    phase = 'who';
    show();
    fields.check();
  }
});

// Together: what is below would have to move aside.
form.hidden = element('drop', HTMLElement).hidden = false;
show();
fillIn().catch((error: unknown) => say(messageOf(error), 'bad'));
void menu.fill(undefined);
camera.open();
