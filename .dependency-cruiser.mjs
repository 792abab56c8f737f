/**
 * Which room may know of which: a room imports those that stand further down, never those above it, and no circle
 * of files stands anywhere. The order is docs/design.md's.
 */
const ROOMS = [
  '(server|app|banner)[.]ts',
  'cli',
  'bench',
  'http',
  '(stream|batch|accuracy)',
  '(notices|checkup)',
  'sightings',
  '(identity|access|metrics)',
  'gallery',
  '(events|vision)',
  'models',
  'settings',
  'platform',
];
const inside = (room) => `^src/${room}($|/)`;

const upwards = ROOMS.slice(1).map((room, above) => ({
  name: `${room} imports nothing from above`,
  severity: 'error',
  from: { path: inside(room) },
  to: { path: ROOMS.slice(0, above + 1).map(inside) },
}));

export default {
  forbidden: [
    { name: 'no circle', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'the gallery knows no pictures',
      severity: 'error',
      from: { path: inside('(gallery|events)') },
      to: { path: inside('vision') },
    },
    ...upwards,
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    doNotFollow: { path: 'node_modules' },
  },
};
