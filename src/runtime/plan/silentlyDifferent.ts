/** A stock operator that means something else within epochs, and what to use in its place. */
export interface Suspicion {
  readonly operator: string
  readonly effect: string
  readonly remedy: string
}

const startsAfresh = 'starts afresh in each epoch'
const isCut = 'is cut at each barrier'
const drops = 'drops records by design'
const hides = 'cannot report records that it holds or errors that it hides'

const keyedState = 'mapWithState(context, { uid, … }), whose state is part of the commit'

const suspicious: Readonly<Record<string, readonly [effect: string, remedy: string]>> = {
  scan: [startsAfresh, keyedState],
  reduce: [startsAfresh, keyedState],
  count: [startsAfresh, keyedState],
  max: [startsAfresh, keyedState],
  min: [startsAfresh, keyedState],
  toArray: [isCut, keyedState],
  every: [startsAfresh, keyedState],
  isEmpty: [startsAfresh, keyedState],
  sequenceEqual: [startsAfresh, keyedState],
  find: ['ends the epoch early, which stops the job', 'filter'],
  findIndex: ['ends the epoch early, which stops the job', 'filter'],
  elementAt: ['ends the epoch early, which stops the job', 'filter'],
  throwIfEmpty: ['fails every epoch without records', 'nothing: an epoch may be empty'],
  defaultIfEmpty: ['repeats in each empty epoch', 'nothing: an epoch may be empty'],
  forkJoin: [isCut, keyedState],
  combineLatestAll: [startsAfresh, keyedState],
  zipAll: [isCut, keyedState],
  race: ['drops the other sources in each epoch', 'merge'],
  timeout: ['fails an epoch of an idle input', "asyncLookup's timeoutMs"],
  mergeScan: [startsAfresh, keyedState],
  switchScan: [startsAfresh, keyedState],
  distinct: [startsAfresh, keyedState],
  distinctUntilChanged: [startsAfresh, keyedState],
  distinctUntilKeyChanged: [startsAfresh, keyedState],
  pairwise: [startsAfresh, keyedState],
  withLatestFrom: [startsAfresh, keyedState],
  combineLatest: [startsAfresh, keyedState],
  combineLatestWith: [startsAfresh, keyedState],
  startWith: ['repeats in each epoch', 'a record in the topic'],
  endWith: ['repeats in each epoch', 'a record in the topic'],
  bufferCount: [isCut, keyedState],
  bufferTime: [isCut, 'the epoch itself: checkpoint.interval.ms'],
  buffer: [isCut, keyedState],
  bufferWhen: [isCut, keyedState],
  bufferToggle: [isCut, keyedState],
  windowCount: [isCut, keyedState],
  windowTime: [isCut, keyedState],
  window: [isCut, keyedState],
  windowWhen: [isCut, keyedState],
  windowToggle: [isCut, keyedState],
  groupBy: [isCut, keyedState],
  zip: [isCut, keyedState],
  zipWith: [isCut, keyedState],
  switchMap: [drops, 'asyncLookup, or concatMap'],
  switchMapTo: [drops, 'asyncLookup, or concatMap'],
  exhaustMap: [drops, 'asyncLookup, or concatMap'],
  throttle: [drops, keyedState],
  throttleTime: [drops, "asyncLookup's rateLimit to slow down without loss"],
  debounce: [drops, keyedState],
  debounceTime: [drops, keyedState],
  audit: [drops, keyedState],
  auditTime: [drops, keyedState],
  sample: [drops, keyedState],
  sampleTime: [drops, keyedState],
  take: ['ends the epoch early, which stops the job', 'filter'],
  takeUntil: ['ends the epoch early, which stops the job', 'filter'],
  takeWhile: ['ends the epoch early, which stops the job', 'filter'],
  takeLast: [isCut, keyedState],
  first: ['ends the epoch early, which stops the job', 'filter'],
  last: [isCut, keyedState],
  single: [isCut, 'filter'],
  skip: ['skips in each epoch', 'startFrom, or mapWithState'],
  skipLast: [isCut, keyedState],
  retry: ['subscribes the source again, which stops the job', "onError, asyncLookup's retry, or restart.*"],
  repeat: ['subscribes the source again, which stops the job', 'nothing: epochs follow each other by themselves'],
  catchError: [hides, 'onError: sideOutput'],
  onErrorResumeNext: [hides, 'onError: sideOutput'],
  onErrorResumeNextWith: [hides, 'onError: sideOutput'],
  mergeMap: [hides, 'asyncLookup for reads; keep mergeMap for synchronous expansion'],
  delay: [hides, "asyncLookup's rateLimit"],
  delayWhen: [hides, 'asyncLookup'],
  observeOn: [hides, 'nothing: the source yields to the event loop by itself'],
  timer: ['may outlive its epoch, which stops the job', 'nothing: epochs are cut by checkpoint.interval.ms'],
  interval: ['never ends, so no epoch would', 'nothing: epochs are cut by checkpoint.interval.ms'],
  concat: ['subscribes its second source late, which stops the job', 'merge'],
  concatWith: ['subscribes its second source late, which stops the job', 'mergeWith'],
  subscribeOn: ['subscribes late, which stops the job', 'nothing: leave it out'],
}

/**
 * Looks through a job file's rxjs imports for operators that run well and mean something else here. RxJS hides at run time
 * which operator is which, so the names of the imports are all there is; an operator imported under another roof is not seen.
 */
export function silentlyDifferent(jobFileText: string): readonly Suspicion[] {
  const found = new Set<string>()
  const withoutComments = jobFileText.replaceAll(/\/\*[\s\S]*?\*\//g, '').replaceAll(/^\s*\/\/.*$/gm, '')
  for (const [, names = ''] of withoutComments.matchAll(
    /import\s*\{([^}]*)\}\s*from\s*['"]rxjs(?:\/operators)?['"]/g,
  )) {
    for (const entry of names.split(',')) {
      const name = entry.trim().split(/\s+as\s+/)[0] ?? ''
      if (Object.hasOwn(suspicious, name)) found.add(name)
    }
  }
  return [...found].map((operator) => {
    const [effect, remedy] = suspicious[operator] ?? ['', '']
    return { operator, effect, remedy }
  })
}
