import { showAccount } from './account.js';
import { make } from './dom.js';
import { language, otherLanguage, switchLanguage, translate, words } from './i18n.js';
import { watchSession } from './session.js';

const PAGES = [
  {
    path: '/',
    key: 'recognition',
    icon: 'M4 8V5a1 1 0 0 1 1-1h3M16 4h3a1 1 0 0 1 1 1v3M20 16v3a1 1 0 0 1-1 1h-3M8 20H5a1 1 0 0 1-1-1v-3M9 10h.01M15 10h.01M9 14.5c1.8 1.6 4.2 1.6 6 0',
  },
  { path: '/add', key: 'enrolment', needs: 'enrol', icon: 'M12 5v14M5 12h14' },
  {
    path: '/people',
    key: 'people',
    icon: 'M9 11a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7ZM2.5 20c.6-3.6 3.2-5.5 6.5-5.5s5.9 1.9 6.5 5.500M16 4.500a3.3 3.3 0 0 1 0 6.200M18 14.800c2 .8 3.2 2.6 3.6 5.2',
  },
  { path: '/status', key: 'status', icon: 'M3 12h4l3-8 4 16 3-8h4' },
] as const;

/** An icon of 24 by 24 as an inline SVG. */
function drawIcon(path: string): SVGSVGElement {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  const line = document.createElementNS('http://www.w3.org/2000/svg', 'path');
  line.setAttribute('d', path);
  svg.setAttribute('viewBox', '0 0 24 24');
  svg.setAttribute('aria-hidden', 'true');
  svg.classList.add('icon');
  svg.append(line);
  return svg;
}

/**
 * Adds the header with the pages and the language switch, and fills in the page's texts.
 * @param title the page's title, in the page's language
 */
export function openPage(title: string): void {
  document.documentElement.lang = language;
  document.title = `${title} — ${words.appName}`;
  translate();
  const links = PAGES.map(({ path, key, icon, ...more }) => {
    const link = make('a', { href: path, data: { ...more } }, drawIcon(icon), make('span', {}, words[key]));
    if (location.pathname === path) link.setAttribute('aria-current', 'page');
    return link;
  });
  const other = otherLanguage();
  const switcher = make('button', {
    type: 'button',
    className: 'quiet language',
    lang: other,
    textContent: other === 'ja' ? '日本語' : 'English',
    onclick: () => switchLanguage(other),
  });
  switcher.id = 'language';
  const home = make('a', { href: '/', className: 'brand' });
  home.append(
    make('img', { src: '/icon.svg', alt: '', width: 32, height: 32 }),
    make('span', {}, words.appName),
  );
  const pages = make('nav', { ariaLabel: words.navigation }, ...links);
  const account = make('div', { id: 'account' });
  showAccount(account);
  watchSession();
  const skip = make('a', { href: '#content', className: 'skip' }, words.skipToContent);
  document.body.prepend(skip, make('header', { className: 'top' }, home, pages, account, switcher));
}
