import { messageOf } from '../lib/api.js';
import { createCameraMenu } from '../lib/camera-menu.js';
import { element, make, recall, remember } from '../lib/dom.js';
import { enrolPicture } from '../lib/enrol.js';
import { createFaceStage } from '../lib/face-stage.js';
import { words } from '../lib/i18n.js';
import { createPersonFields } from '../lib/person-fields.js';
import { createPictureTray } from '../lib/picture-tray.js';
import { openPage } from '../lib/shell.js';
import { CHECKS, createAutoCapture, firstFault, judge, type Judgement } from '../logic/guide.js';

const JPEG_QUALITY = 0.92;
/** Pictures that make a person easy to recognise. */
const ENOUGH = 3;

openPage();

const stage = createFaceStage(element('stage', HTMLElement), {
  onAnswer({ faces, width, height }) {
    const judgement = judge(faces, { width, height }, stage.picture);
    showGuide(judgement);
    const wanted = auto.checked && !finished && tray.size < ENOUGH;
    if (wanted && wantsPicture(judgement, performance.now())) take();
  },
  onNobody: () => showGuide(undefined),
  onCamera: (camera) => void menu.fill(camera),
});
const menu = createCameraMenu(element('camera', HTMLSelectElement), (choice) => stage.choose(choice));
const fields = createPersonFields();
const form = element('form', HTMLFormElement);
const guide = element('guide', HTMLUListElement);
const advice = element('advice', HTMLElement);
const auto = element('auto', HTMLInputElement);
const files = element('files', HTMLInputElement);
const drop = element('drop', HTMLElement);
const enrol = element('enrol', HTMLButtonElement);
const next = element('next', HTMLButtonElement);
const outcome = element('outcome', HTMLElement);
const tray = createPictureTray(element('pictures', HTMLUListElement), writeCount);
const wantsPicture = createAutoCapture();
const marks = new Map(CHECKS.map((check) => [check, make('li', { data: { check } }, words.checks[check])]));
/** The person is enrolled: no more pictures are taken until the next person. */
let finished = false;

function say(text: string, kind: 'good' | 'bad' | '' = ''): void {
  outcome.textContent = text;
  outcome.className = `outcome ${kind}`;
}

function showGuide(judgement: Judgement | undefined): void {
  for (const [check, mark] of marks) {
    const state = judgement?.[check];
    const shown = state === undefined ? 'open' : state ? 'good' : 'bad';
    if (mark.dataset.state === shown) continue;
    mark.dataset.state = shown;
    mark.ariaLabel = `${words.checks[check]}: ${words.checkStates[shown]}`;
  }
  const fault = judgement && firstFault(judgement);
  const text = fault ? words.advice[fault] : judgement ? words.adviceGood : '';
  if (advice.textContent !== text) advice.textContent = text;
}

function writeCount(): void {
  const taken = tray.inState('waiting').length + tray.inState('stored').length;
  element('count', HTMLElement).textContent = words.takenOf(taken, ENOUGH);
}

function take(): void {
  if (!stage.view.live) return;
  stage.flash();
  void stage.view.jpeg(stage.picture.width, JPEG_QUALITY).then(({ blob }) => tray.add(blob));
}

function addFiles(chosen: Iterable<File>): void {
  const pictures = [...chosen].filter(({ type }) => type === '' || type.startsWith('image/'));
  if (pictures.length === 0) say(words.noPictures, 'bad');
  for (const picture of pictures) tray.add(picture);
}

/** Sends the pictures one by one. Each shows what became of it; one that is refused does not stop the others. */
async function send(): Promise<void> {
  const waiting = tray.inState('waiting');
  if (waiting.length === 0) {
    say(words.needsPicture, 'bad');
    return;
  }
  const person = await fields.read();
  let forced = false;
  let already = 0;
  for (const picture of waiting) {
    tray.mark(picture, 'sending');
    try {
      const enrolled = await enrolPicture(person, picture.blob, forced);
      if (!enrolled) {
        for (const rest of [...tray.inState('sending'), ...tray.inState('waiting')])
          tray.mark(rest, 'waiting');
        say(words.nothingStored);
        return;
      }
      forced = enrolled.forced;
      if (enrolled.already) already += 1;
      tray.mark(picture, 'stored', enrolled.already ? words.pictureAlready : undefined);
    } catch (error) {
      tray.mark(picture, 'refused', messageOf(error));
    }
  }
  const stored = tray.inState('stored').length;
  const name = person.username || person.userid;
  finished = stored > 0;
  next.hidden = !finished;
  if (finished && already === stored) say(words.enrolledAlready(name), 'good');
  else if (finished) say(words.enrolledWith(name, stored - already), 'good');
  else say(words.nothingStored, 'bad');
}

function startAnew(): void {
  finished = false;
  next.hidden = true;
  tray.clear();
  fields.clear();
  say('');
  fields.userid.focus();
}

/** `/add?group=...&userid=...&username=...` is the link for adding pictures of somebody. */
async function fillIn(): Promise<void> {
  const query = new URLSearchParams(location.search);
  fields.userid.value = query.get('userid') ?? '';
  fields.username.value = query.get('username') ?? '';
  await fields.fill(query.get('group') ?? recall('group'));
}

form.prepend(make('h2', {}, words.person), fields.root);
guide.append(...marks.values());
showGuide(undefined);
writeCount();
auto.checked = recall('auto') !== 'off';
auto.addEventListener('change', () => remember('auto', auto.checked ? 'on' : 'off'));
element('capture', HTMLButtonElement).addEventListener('click', take);
next.addEventListener('click', startAnew);
files.addEventListener('change', () => {
  addFiles(files.files ?? []);
  files.value = '';
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
  addFiles(event.dataTransfer?.files ?? []);
});
form.addEventListener('submit', (event) => {
  event.preventDefault();
  enrol.disabled = true;
  say(words.enrolling);
  send()
    .catch((error: unknown) => say(messageOf(error), 'bad'))
    .finally(() => (enrol.disabled = false));
});

fillIn().catch((error: unknown) => say(messageOf(error), 'bad'));
void menu.fill(undefined);
stage.setOptions({ quality: true });
stage.open();
