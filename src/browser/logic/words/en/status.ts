/** Texts of `/status`, in English. */
export const STATUS = {
  betterModel: 'Better model',
  switchModel: (title: string, command: string) =>
    `${title}. Everyone stays with the present model until you run: ${command}. It uses the pictures that were kept (KEEP_FACES); people without one must be enrolled again.`,
  provider: 'Runs on',
  refusedProvider: (name: string) => `Not on ${name}`,
  visionNote: 'Vision threads',
  troubled: 'Not working',
  /** The server's own message is in English. */
  troubleOf: (_what: string, message: string): string => message,
  damaged: (count: number) => `Damaged, so set aside or skipped: ${count}`,
  workers: 'Workers',
  workersAndThreads: (workers: number, threads: number) =>
    `${workers}, ${threads === 1 ? '1 vision thread' : `${threads} vision threads`} each`,
  index: 'Index',
  threshold: 'Strangers given a name',
  sentenceSpace: ' ',
  thresholdMeans: (named: string, of: string, faces: number, enrolled: string) =>
    `Of ${of} strangers at most ${named} ${named === '1' ? 'is' : 'are'} given a name, ` +
    `with ${faces === 1 ? '1 face' : `${enrolled} faces`} enrolled.`,
  thresholdNobody: 'Nobody is enrolled, so nobody is given a name.',
  thresholdFixed: 'IDENTICAL_DISTANCE fixes the threshold.',
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
  queue: 'Queue',
  running: 'running',
  perSecondUnit: '/s',
  pictureUnit: '',
  units: { days: 'd', hours: 'h', minutes: 'min', seconds: 's' },
  stages: { queue: 'Waiting', decode: 'Decoding', detect: 'Detection', embed: 'Embedding', search: 'Search' },
};
