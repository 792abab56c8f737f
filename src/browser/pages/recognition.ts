import { messageOf } from '../lib/api.js';
import { createCameraMenu } from '../lib/camera-menu.js';
import { element, recall, remember } from '../lib/dom.js';
import { openKnownFace, openUnknownFace } from '../lib/face-dialog.js';
import { createFaceList } from '../lib/face-list.js';
import { createFaceStage } from '../lib/face-stage.js';
import { createGreeting } from '../lib/greeting.js';
import { formatNumber, words } from '../lib/i18n.js';
import { cropFace, download, nameByTime } from '../lib/picture.js';
import { whetherMay } from '../lib/session.js';
import { openPage } from '../lib/shell.js';
import { bindShortcuts } from '../lib/shortcuts.js';
import { toast } from '../lib/toast.js';
import { createWall } from '../lib/wall.js';
import type { SeenFace } from '../logic/faces.js';
import type { StageState } from '../logic/stage-state.js';

/** Between two updates of the figures, milliseconds. */
const FIGURES_EVERY = 500;

openPage();

const write = (id: string, text: string) => (element(id, HTMLElement).textContent = text);
const button = (id: string) => element(id, HTMLButtonElement);
const isPressed = (found: HTMLButtonElement) => found.getAttribute('aria-pressed') === 'true';
const press = (found: HTMLButtonElement, on: boolean) => found.setAttribute('aria-pressed', String(on));
const freeze = button('freeze');
const landmarks = button('landmarks');
const mirror = button('mirror');
const wallButton = button('wall');
const shortcuts = element('shortcuts', HTMLInputElement);
let state: StageState = 'starting';
let found = 0;
/** Unknown until the server has said it: nothing is offered that may then be refused. */
let canEnrol = false;

const list = createFaceList(
  {
    list: element('faces', HTMLUListElement),
    state: element('state', HTMLElement),
    live: element('announcer', HTMLElement),
  },
  { onChosen: (face) => choose(face), onPointed: (track) => stage.highlight(track) },
);
const greeting = createGreeting(element('greeting', HTMLSelectElement));
const stage = createFaceStage(element('stage', HTMLElement), {
  onAnswer({ faces }) {
    found = faces.length;
    list.show(faces, stage.thresholds, stage.asked);
    list.say(state, found);
    greeting.show(faces);
  },
  onNobody: () => list.clear(),
  onState(next) {
    state = next;
    list.say(state, found);
    write('wall-state', state === 'faces' || state === 'nobody' ? '' : words.stageStates[state]);
  },
  onServerInfo: ({ pack }) => write('pack', pack.title),
  onCamera(camera) {
    setFrozen(false);
    press(mirror, camera.mirrored);
    void menu.fill(camera);
  },
  onConnection(connection, kind) {
    write('way', kind === 'stream' ? words.wayStream : kind === 'post' ? words.wayPost : '–');
    if (connection === 'open') void readRights();
  },
  onRefused: (error) => toast(messageOf(error), { kind: 'bad' }),
  onChosen(track) {
    const face = stage.seen(track)?.face ?? stage.shown.find((shown) => shown.track === track);
    if (face) choose(face);
  },
  onPointed(track) {
    stage.highlight(track);
    list.mark(track);
  },
});
const menu = createCameraMenu(element('camera', HTMLSelectElement), (choice) => stage.choose(choice));
const wall = createWall((on) => {
  press(wallButton, on);
  setLabel(wallButton, on ? words.leaveWall : words.wall);
  stage.setWall(on);
});

/** Shows who a face is, or offers to enrol an unknown one: as it was seen in the frame whose faces are shown. */
function choose(face: SeenFace): void {
  const seen = stage.seen(face.track);
  const { identity } = seen?.face ?? face;
  const known = identity.faceid !== '';
  if (!seen && !known) {
    toast(words.faceHasLeft);
    return;
  }
  stage.highlight(face.track);
  const leave = () => stage.highlight(undefined);
  const cut = seen ? cropFace(seen.frame, seen.face.box) : Promise.resolve(undefined);
  cut.then(
    (picture) => {
      if (known) openKnownFace({ identity, picture, mayEnrol: canEnrol }, stage.thresholds, leave);
      else if (picture) openUnknownFace({ identity, picture, mayEnrol: canEnrol }, leave);
    },
    (error: unknown) => toast(messageOf(error), { kind: 'bad' }),
  );
}

async function readRights(): Promise<void> {
  // Nothing may be changed while the server does not answer.
  canEnrol = await whetherMay('enrol').catch(() => false);
  list.setMayEnrol(canEnrol);
}

function setLabel(found: HTMLButtonElement, text: string): void {
  const label = found.querySelector('span');
  if (label) label.textContent = text;
}

function setFrozen(on: boolean): void {
  press(freeze, on);
  stage.freeze(on);
  setLabel(freeze, on ? words.unfreeze : words.freeze);
}

freeze.addEventListener('click', () => setFrozen(!isPressed(freeze)));
landmarks.addEventListener('click', () => {
  press(landmarks, !isPressed(landmarks));
  stage.setOptions({ landmarks: isPressed(landmarks) });
});
mirror.addEventListener('click', () => {
  press(mirror, !isPressed(mirror));
  stage.setMirrored(isPressed(mirror));
});
button('save').addEventListener('click', () => {
  stage.save().then(
    (picture) => download(picture, `${nameByTime()}.jpg`),
    (error: unknown) => toast(messageOf(error), { kind: 'bad' }),
  );
});
wallButton.addEventListener('click', () => (wall.on ? wall.leave() : wall.enter()));

shortcuts.checked = recall('shortcuts') !== 'off';
shortcuts.addEventListener('change', () => remember('shortcuts', shortcuts.checked ? 'on' : 'off'));
bindShortcuts(
  { p: freeze, f: freeze, l: landmarks, m: mirror, s: button('save'), w: wallButton },
  () => shortcuts.checked,
);

function writeFigures(): void {
  const { answersPerSecond, drawsPerSecond, roundTrip, frame } = stage.figures();
  write('rate', words.perSecond(formatNumber(answersPerSecond, 1)));
  write('draws', words.perSecond(formatNumber(drawsPerSecond)));
  write('round-trip', roundTrip === undefined ? '–' : words.milliseconds(Math.round(roundTrip)));
  write('frame-size', frame ? `${frame.width} × ${frame.height}` : '–');
  if (state !== 'paused') list.tidy();
}

window.setInterval(writeFigures, FIGURES_EVERY);
void menu.fill(undefined);
stage.open();
// `/?wall` opens as a wall display: for a screen that starts by itself.
if (new URLSearchParams(location.search).has('wall')) wall.enter();
