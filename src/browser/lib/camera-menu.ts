import { listCameras, type OpenCamera, rememberedChoice } from './camera.js';
import { make } from './dom.js';
import { words } from './i18n.js';

/** The menu of cameras: front, back and each one by name. */
export function createCameraMenu(select: HTMLSelectElement, choose: (choice: string) => void) {
  select.setAttribute('aria-label', words.camera);
  select.addEventListener('change', () => choose(select.value));

  return {
    /** Fills the menu; browsers tell the names once a camera is open. */
    async fill(open: OpenCamera | undefined): Promise<void> {
      const cameras = await listCameras();
      const choice = rememberedChoice();
      const entries = [
        make('option', { value: 'front' }, words.frontCamera),
        make('option', { value: 'back' }, words.backCamera),
        ...cameras.map(({ deviceId, label }, i) =>
          make('option', { value: deviceId }, label === '' ? words.cameraNumber(i + 1) : label),
        ),
      ];
      select.replaceChildren(...entries);
      const isThere = entries.some(({ value }) => value === choice);
      select.value = isThere ? choice : (open?.deviceId ?? 'front');
    },
  };
}
