import type { STATUS as EN } from '../en/status.js';

const JA_STAGES: (typeof EN)['stages'] = {
  queue: '待ち時間',
  decode: 'デコード',
  detect: '検出',
  embed: '特徴抽出',
  search: '検索',
};

const REGISTERS: Partial<Record<string, string>> = {
  avx512: 'AVX-512',
  avx2: 'AVX2',
  neon: 'NEON',
  plain: 'どの CPU でも動作',
};

/** Texts of `/status`, in Japanese. */
export const STATUS: typeof EN = {
  betterModel: 'より良いモデル',
  switchModel: (title, command) =>
    `${title}。次のコマンドを実行するまで、登録済みの人は現在のモデルのまま認識されます: ${command}。保存した顔画像（KEEP_FACES）から登録を作り直します。画像のない人は登録し直す必要があります。`,
  provider: '実行環境',
  detector: '顔検出',
  detectorOf: (kernels) =>
    kernels === 'onnx' ? 'ONNX Runtime' : `専用の計算コード（${REGISTERS[kernels] ?? kernels}）`,
  refusedProvider: (name) => `${name} を使えない理由`,
  visionNote: '画像処理スレッド',
  troubled: '現在利用できない機能',
  troubleOf: (what, message) =>
    ({
      gallery: '登録や変更を保存できません。ディスクや Redis の空き容量と書き込み権限を確認してください。',
      audit:
        '監査ログをファイルに書き込めません。ログはメモリに保持されていますが、サーバーが終了すると失われます。',
      events: 'イベントログを読み取れないため、ほかのワーカーでの変更がこのワーカーに反映されません。',
      sightings: '来訪の記録の一部を保存できていません。原因はサーバーのログで確認してください。',
      notices: '通知の送信先（Webhook または MQTT）に届いていない通知があります。受信側を確認してください。',
    })[what] ?? message,
  allWell: '正常に稼働しています',
  looking: '確認しています…',
  wellLine: (people, time) => `登録済み: ${people} 人${time && `、画像 1 枚あたり ${time}`}`,
  nobodyEnrolled: 'まだ誰も登録されていません。',
  goneSince: (time) => `サーバーが応答しません。最終確認: ${time}`,
  neverSeen: 'サーバーが応答しません。',
  lastSeen: (time) => `最終確認 ${time}`,
  noThreads:
    'モデルが停止しているため、認識できません。サーバーを再起動してください（原因はログに記録されています）。',
  obstacles: {
    'disk full':
      'ディスクの空き容量がないため、登録や変更ができません。空き容量を増やしてください（削除は可能です）。',
    'redis full':
      'Redis のメモリが上限に達しているため、登録や変更ができません。maxmemory を増やしてください（削除は可能です）。',
    'read-only': '保存先に書き込めないため、変更ができません。サーバーに書き込み権限を与えてください。',
    unreachable: '保存先（ディスクまたは Redis）が応答しないため、復旧するまで変更ができません。',
    'milvus away': 'Milvus が応答しないため、復旧するまで認識・登録・変更ができません（削除は可能です）。',
    'milvus empty':
      'Milvus の顔データが失われています。元に戻すまで認識・登録・変更ができません（削除は可能です）。',
  },
  cpuInstead: (provider, reason) =>
    `${provider.toUpperCase()} を使えないため、CPU で認識しています。理由: ${reason}`,
  longWait: (ms) =>
    `画像の待ち時間が最大 ${(ms / 1000).toFixed(1)} 秒あり、処理が追いついていません。カメラを減らすか、スレッド（VISION_THREADS）または GPU を追加してください。`,
  slow: (ms, stage) =>
    `画像 1 枚の処理に ${(ms / 1000).toFixed(1)} 秒かかっています（主に「${JA_STAGES[stage]}」）。GPU か、より軽いモデルの使用をおすすめします。`,
  lowRecall: (recall) =>
    `スナップショットの検索で、100 回に ${((1 - recall) * 100).toFixed(1)} 回は正しい人を見逃しています。\`npx kaomon snapshot\` で作り直せます。`,
  farBehind: (changes) =>
    `ほかのワーカーの変更が ${changes} 件、まだ反映されていません。登録したばかりの人を認識できないことがあります。`,
  damagedFound: (count) => `破損したデータ ${count} 件を除外しました。詳細は下にあります。`,
  failing: (count) =>
    `直近 2 分間に ${count} 件のリクエストが失敗しました。原因はサーバーのログに記録されています。`,
  streams: 'ストリームのフレーム',
  streamsOpen: '接続中のストリーム',
  framesInAll: 'フレーム総数',
  framesUnit: '枚/秒',
  streamsNote: '接続',
  snapshot: 'スナップショット',
  snapshotOf: (date, newer, recall) =>
    `${date} 作成（以降の変更 ${newer} 件）。検索で正しい人が 1 位になる割合: ${recall} %`,
  damaged: (count) => `破損しているため除外したデータ: ${count} 件`,
  sightings: '保存済みの来訪',
  sightingsKept: (count, size, since) => `${count} 件、${size}${since && `（${since} から）`}`,
  workers: 'ワーカー',
  workersAndThreads: (workers, threads) => `${workers}（画像処理スレッド 各 ${threads}）`,
  index: '検索方式',
  threshold: '他人に名前が付く割合',
  thresholdMeans: (named, of, _faces, enrolled) =>
    `他人 ${of} 人のうち、名前が付くのは多くても ${named} 人です（登録された顔 ${enrolled} 件）。`,
  thresholdNobody: '誰も登録されていないため、誰にも名前は付きません。',
  thresholdFixed: 'しきい値は IDENTICAL_DISTANCE で固定されています。',
  thresholdChosen: 'しきい値は「登録の点検」ページで選んだものです。',
  thresholdLimit: '登録された顔が少なくても、しきい値はこれ以上緩くなりません。',
  thresholdBeyond: (pairs) => `測定に使った ${pairs} 組では、これより少ないことまでは確かめられません。`,
  thresholdNotMeasured: 'しきい値は固定です。このモデルで他人に名前が付く割合は測定されていません。',
  requests: 'リクエスト',
  requestsInAll: 'リクエスト総数',
  failures: '失敗',
  memory: 'メモリ',
  uptime: '稼働時間',
  version: 'バージョン',
  queue: '処理待ちの画像',
  running: '処理中',
  perSecondUnit: '回/秒',
  pictureUnit: '枚',
  units: { days: '日', hours: '時間', minutes: '分', seconds: '秒' },
  stages: JA_STAGES,
};
