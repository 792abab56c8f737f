const EN_STAGES: Record<'queue' | 'decode' | 'detect' | 'embed' | 'search', string> = {
  queue: 'Waiting',
  decode: 'Decoding',
  detect: 'Detection',
  embed: 'Embedding',
  search: 'Search',
};

/** Sets of registers by their makers' names. */
const REGISTERS: Partial<Record<string, string>> = {
  avx512: 'AVX-512',
  avx2: 'AVX2',
  neon: 'NEON',
  plain: 'any processor',
};

/** Texts of `/status`, in English. */
export const STATUS = {
  betterModel: 'Better model',
  switchModel: (title: string, command: string) =>
    `${title}. Everyone stays with the present model until you run: ${command}. It uses the pictures that were kept (KEEP_FACES); people without one must be enrolled again.`,
  provider: 'Runs on',
  detector: 'Finds faces with',
  detectorOf: (kernels: string): string =>
    kernels === 'onnx' ? 'ONNX Runtime' : `loops of its own (${REGISTERS[kernels] ?? kernels})`,
  refusedProvider: (name: string) => `Not on ${name}`,
  visionNote: 'Vision threads',
  troubled: 'Not working',
  /** The server's own message is in English. */
  troubleOf: (_what: string, message: string): string => message,
  allWell: 'All well',
  looking: 'Looking…',
  wellLine: (people: string, time: string) =>
    `${people === '1' ? '1 person is' : `${people} people are`} enrolled${time && `, and a picture takes ${time}`}.`,
  nobodyEnrolled: 'Nobody is enrolled yet.',
  goneSince: (time: string) => `The server does not answer. Last seen ${time}.`,
  neverSeen: 'The server does not answer.',
  lastSeen: (time: string) => `last seen ${time}`,
  noThreads:
    'Nobody can be recognised: the model no longer runs. Restart the server; its log says why it stopped.',
  obstacles: {
    'disk full': 'The disk is full: make room, or nobody can be enrolled or changed. Deleting still works.',
    'redis full':
      'Redis is full: raise its maxmemory, or nobody can be enrolled or changed. Deleting still works.',
    'read-only': 'The gallery is read-only: let the server write there, or nothing can be changed.',
    unreachable:
      'The gallery’s store (its disk or Redis) does not answer: nothing can be changed until it is back.',
    'milvus away':
      'Milvus does not answer: nobody can be recognised, enrolled or changed until it is back. Deleting still works.',
    'milvus empty':
      'Milvus has lost its faces: nobody can be recognised, enrolled or changed until they are brought back. Deleting still works.',
  } as Record<string, string>,
  cpuInstead: (provider: string, reason: string) =>
    `Recognition runs on the CPU, because ${provider.toUpperCase()} was refused: ${reason}`,
  longWait: (ms: number) =>
    `Pictures wait up to ${(ms / 1000).toFixed(1)} s for their turn: more come in than this server can process. Use fewer cameras, or give it more threads (VISION_THREADS) or a GPU.`,
  slow: (ms: number, stage: keyof typeof EN_STAGES) =>
    `A picture takes ${(ms / 1000).toFixed(1)} s, most of it in “${EN_STAGES[stage]}”: a GPU or a smaller model would help.`,
  lowRecall: (recall: number) =>
    `The snapshot’s search misses the right person ${((1 - recall) * 100).toFixed(1)} times in 100: \`npx kaomon snapshot\` makes another.`,
  farBehind: (changes: number) =>
    `This worker has ${changes} changes of the others still to apply: people who were just enrolled may be unknown to it.`,
  damagedFound: (count: number) =>
    `${count === 1 ? '1 damaged file was' : `${count} damaged files were`} set aside: see below.`,
  failing: (count: number) =>
    `${count === 1 ? '1 request' : `${count} requests`} failed in the last two minutes: the server’s log says why.`,
  streams: 'Stream frames',
  streamsOpen: 'Streams open',
  framesInAll: 'Total frames',
  framesUnit: '/s',
  streamsNote: 'streams',
  snapshot: 'Snapshot',
  snapshotOf: (date: string, newer: string, recall: string) =>
    `Of ${date}; ${newer === '1' ? '1 change' : `${newer} changes`} since. Its search finds the right person first in ${recall} % of cases.`,
  damaged: (count: number) => `Damaged, so set aside or skipped: ${count}`,
  sightings: 'Visits kept',
  sightingsKept: (count: string, size: string, since: string) =>
    `${count}, ${size}${since && `, since ${since}`}`,
  workers: 'Workers',
  workersAndThreads: (workers: number, threads: number) =>
    `${workers}, ${threads === 1 ? '1 vision thread' : `${threads} vision threads`} each`,
  index: 'Index',
  threshold: 'Strangers given a name',
  thresholdMeans: (named: string, of: string, faces: number, enrolled: string) =>
    `Of ${of} strangers at most ${named} ${named === '1' ? 'is' : 'are'} given a name, ` +
    `with ${faces === 1 ? '1 face' : `${enrolled} faces`} enrolled.`,
  thresholdNobody: 'Nobody is enrolled, so nobody is given a name.',
  thresholdFixed: 'IDENTICAL_DISTANCE fixes the threshold.',
  thresholdChosen: 'The threshold was chosen on the check-up page.',
  thresholdLimit: 'The threshold gets no looser, however few faces are enrolled.',
  thresholdBeyond: (pairs: string) =>
    `The ${pairs} pairs that were measured are too few to prove a lower number.`,
  thresholdNotMeasured:
    'The threshold is fixed, and how many strangers it names was not measured for this model.',
  requests: 'Requests',
  requestsInAll: 'Total requests',
  failures: 'Failed',
  memory: 'Memory',
  uptime: 'Uptime',
  version: 'Version',
  queue: 'Pictures in the queue',
  running: 'running',
  perSecondUnit: '/s',
  pictureUnit: '',
  units: { days: 'd', hours: 'h', minutes: 'min', seconds: 's' },
  stages: EN_STAGES,
};
