import { recall, remember } from './dom.js';

/** Why there is no picture. */
export type CameraTrouble = 'refused' | 'busy' | 'missing' | 'insecure' | 'ended';

export class CameraError extends Error {
  override readonly name = 'CameraError';
  constructor(readonly trouble: CameraTrouble) {
    super(`The camera cannot be used: ${trouble}.`);
  }
}

/** `front`, `back` or the ID of a device. */
export type CameraChoice = string;

export interface OpenCamera {
  stream: MediaStream;
  /** Shown as in a mirror: it faces the person in front of the screen. */
  mirrored: boolean;
  deviceId: string;
}

/** The camera that was chosen last in this browser. */
export function rememberedChoice(): CameraChoice {
  return recall('camera') ?? 'front';
}

export function rememberChoice(choice: CameraChoice): void {
  remember('camera', choice);
}

/** All cameras; their names are empty until one has been opened. */
export async function listCameras(): Promise<MediaDeviceInfo[]> {
  if (!hasCameras()) return [];
  const devices = await navigator.mediaDevices.enumerateDevices();
  return devices.filter(({ kind, deviceId }) => kind === 'videoinput' && deviceId !== '');
}

/** Browsers have no `mediaDevices` on pages that are not secure. */
function hasCameras(): boolean {
  return 'mediaDevices' in navigator;
}

/**
 * Opens a camera; the front one in place of a remembered device that is gone.
 * @throws CameraError
 */
export async function openCamera(choice: CameraChoice): Promise<OpenCamera> {
  if (!hasCameras()) throw new CameraError('insecure');
  const which: MediaTrackConstraints =
    choice === 'front' || choice === 'back'
      ? { facingMode: choice === 'front' ? 'user' : 'environment' }
      : { deviceId: { exact: choice } };
  const size = { width: { ideal: 1280 }, height: { ideal: 720 } };
  let stream: MediaStream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { ...which, ...size }, audio: false });
  } catch (error) {
    const name = error instanceof Error ? error.name : '';
    const isGone = name === 'OverconstrainedError' || name === 'NotFoundError';
    if (isGone && choice !== 'front' && choice !== 'back') return openCamera('front');
    throw new CameraError(troubleOf(name));
  }
  const settings = stream.getVideoTracks().at(0)?.getSettings() ?? {};
  const facesBack = settings.facingMode === 'environment' || (!settings.facingMode && choice === 'back');
  return { stream, mirrored: !facesBack, deviceId: settings.deviceId ?? '' };
}

function troubleOf(name: string): CameraTrouble {
  if (name === 'NotAllowedError' || name === 'SecurityError') return 'refused';
  if (name === 'NotReadableError' || name === 'AbortError') return 'busy';
  return 'missing';
}
