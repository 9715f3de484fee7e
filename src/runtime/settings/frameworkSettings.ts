import * as E from 'fp-ts/lib/Either.js'
import { jobName, bytes, choice, durationMs, integer, text, textCodec } from '../../core/settingCodecs.ts'
import { setting, type SettingsOf } from '../../core/setting.ts'

const oneCheckpointAtATime = textCodec(
  '1',
  (input) =>
    input.trim() === '1'
      ? E.right(1 as const)
      : E.left(
          '1: the epochs of a task never overlap, because overlapping ones gained nothing when measured and would see the state of an epoch that may yet be aborted',
        ),
  String,
)

/** Where keyed state lives; Flink takes a URL here, we take the kind only, because the place is `data.dir`. */
const stateBackend = textCodec(
  'file: or memory:',
  (input): E.Either<string, 'file:' | 'memory:'> => {
    const trimmed = input.trim()
    if (trimmed === 'file:' || trimmed === 'memory:') return E.right(trimmed)
    return E.left('file: or memory:, without a path and with no other scheme; the directory is set by data.dir')
  },
  (value) => value,
)

/** Every setting that Tidemark itself knows, in the order in which `tidemark config` prints them. */
export const frameworkSettings = {
  'job.name': setting(jobName, {
    optional: true,
    meaning:
      'Name under which the job is deployed: its topics, ids, state and metrics derive from it; absent: the name in its file.',
    example: 'reconcile-eu',
  }),
  'data.dir': setting(text, {
    default: '.tidemark',
    meaning: 'Directory of the log and tables of this machine and of local state; relative to the working directory.',
    example: '/var/lib/tidemark',
  }),
  'checkpoint.interval.ms': setting(durationMs({ minMs: 1 }), {
    default: 1000,
    meaning: 'Longest epoch: how often outputs are committed and become visible.',
    example: '30000',
  }),
  'checkpoint.min.pause.ms': setting(durationMs(), {
    default: 0,
    meaning: 'Least time from a commit to the end of the next epoch.',
    example: '15000',
  }),
  'checkpoint.timeout.ms': setting(durationMs({ minMs: 1 }), {
    default: 60_000,
    meaning: 'Longest time from the end of an epoch to its commit; beyond it the epoch is aborted and replayed.',
    example: '60000',
  }),
  'checkpoint.max.concurrent': setting(oneCheckpointAtATime, {
    default: 1,
    meaning: 'Checkpoints of one task that may be under way at a time; only 1.',
    example: '1',
  }),
  'checkpoint.max.bytes': setting(bytes({ min: 1024 }), {
    default: 16 * 1024 * 1024,
    meaning: 'Bytes of input, output and state at which an epoch ends early; bounds the memory of a task.',
    example: '16 MiB',
  }),
  'follower.max.bytes': setting(bytes({ min: 1024 }), {
    default: 256 * 1024 * 1024,
    meaning:
      'Bytes that may wait in the write-ahead log of one sink and task for a target that lags; then the task reads nothing more.',
    example: '1 GiB',
  }),
  'json.max.depth': setting(integer({ min: 1, max: 1000 }), {
    default: 256,
    meaning: 'Deepest nesting of JSON that is decoded; a deeper message is a dead letter.',
    example: '256',
  }),
  'state.backend': setting(stateBackend, {
    default: 'file:',
    meaning:
      'Where local state is kept: file: (under data.dir) or memory: (restored from the changelog at each start).',
    example: 'file:',
  }),
  'state.slot': setting(integer({ min: 0, max: 1023 }), {
    optional: true,
    meaning:
      'Which of the directories for local state under data.dir this process takes; absent: the first that is free (for a log that processes share).',
    example: '0',
  }),
  'start.warn.records': setting(integer({ min: 0 }), {
    default: 1_000_000,
    meaning: 'Records of old input above which a start from earliest prints a warning.',
    example: '1000000',
  }),
  'restart.strategy': setting(choice(['none', 'fixed-delay', 'failure-rate', 'exponential-delay']), {
    default: 'fixed-delay',
    meaning: 'What follows a failed epoch; exponential-delay is the default with --follow.',
    example: 'failure-rate',
  }),
  'restart.attempts': setting(integer({ min: 0 }), {
    default: 3,
    meaning: 'fixed-delay: restarts before the job stops.',
    example: '3',
  }),
  'restart.delay.ms': setting(durationMs(), {
    default: 1000,
    meaning: 'Time before a restart; for exponential-delay the first one.',
    example: '10000',
  }),
  'restart.failure.rate.max': setting(integer({ min: 0 }), {
    default: 5,
    meaning: 'failure-rate: failures within the interval that are survived.',
    example: '5',
  }),
  'restart.failure.rate.interval.ms': setting(durationMs({ minMs: 1 }), {
    default: 300_000,
    meaning: 'failure-rate: the interval in which failures are counted.',
    example: '5 min',
  }),
  'restart.max.delay.ms': setting(durationMs({ minMs: 1 }), {
    default: 60_000,
    meaning: 'exponential-delay: longest time before a restart; delays double up to it.',
    example: '60000',
  }),
  'restart.reset.after.ms': setting(durationMs({ minMs: 1 }), {
    default: 600_000,
    meaning: 'exponential-delay: time without a failure after which the delay starts small again.',
    example: '10 min',
  }),
  'dashboard.port': setting(integer({ min: 0, max: 65_535 }), {
    default: 8081,
    meaning:
      'Port of the live page and of /metrics on 127.0.0.1 (the default gives way to the next free one); 0: none.',
    example: '8090',
  }),
  'log.level': setting(choice(['debug', 'info', 'warn', 'error', 'silent']), {
    default: 'info',
    meaning: 'Least severe log lines that are written; debug adds stack traces to errors.',
    example: 'debug',
  }),
  'log.format': setting(choice(['auto', 'pretty', 'json']), {
    default: 'auto',
    meaning: 'Log lines as JSON or for people; auto: for people on a terminal.',
    example: 'json',
  }),
} as const

export type FrameworkSettings = SettingsOf<typeof frameworkSettings>

/**
 * Settings whose plain names in the environment other software uses as well: Kubernetes sets DASHBOARD_PORT=tcp://… beside
 * a service called dashboard, and LOG_LEVEL is everybody's. Such a variable with a value that is none of ours is taken for
 * somebody else's. All other names are ours alone, so that a wrong value there is a mistake.
 */
export const sharedNames: ReadonlySet<string> = new Set([
  'job.name',
  'data.dir',
  'state.backend',
  'state.slot',
  'dashboard.port',
  'log.level',
  'log.format',
])
