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

const mapWithState = 'mapWithState(context, { uid, … }), whose state is part of the commit'

const suspicious: Readonly<Record<string, readonly [effect: string, remedy: string]>> = {
  scan: [startsAfresh, mapWithState],
  reduce: [startsAfresh, mapWithState],
  count: [startsAfresh, mapWithState],
  max: [startsAfresh, mapWithState],
  min: [startsAfresh, mapWithState],
  toArray: [isCut, mapWithState],
  every: [startsAfresh, mapWithState],
  isEmpty: [startsAfresh, mapWithState],
  sequenceEqual: [startsAfresh, mapWithState],
  find: ['ends the epoch early, which stops the job', 'filter'],
  findIndex: ['ends the epoch early, which stops the job', 'filter'],
  elementAt: ['ends the epoch early, which stops the job', 'filter'],
  throwIfEmpty: ['fails every epoch without records', 'nothing: an epoch may be empty'],
  defaultIfEmpty: ['repeats in each empty epoch', 'nothing: an epoch may be empty'],
  forkJoin: [isCut, mapWithState],
  combineLatestAll: [startsAfresh, mapWithState],
  zipAll: [isCut, mapWithState],
  race: ['drops the other sources in each epoch', 'merge'],
  timeout: ['fails an epoch of an idle input', "asyncLookup's timeoutMs"],
  mergeScan: [startsAfresh, mapWithState],
  switchScan: [startsAfresh, mapWithState],
  distinct: [startsAfresh, mapWithState],
  distinctUntilChanged: [startsAfresh, mapWithState],
  distinctUntilKeyChanged: [startsAfresh, mapWithState],
  pairwise: [startsAfresh, mapWithState],
  withLatestFrom: [startsAfresh, mapWithState],
  combineLatest: [startsAfresh, mapWithState],
  combineLatestWith: [startsAfresh, mapWithState],
  startWith: ['repeats in each epoch', 'a record in the topic'],
  endWith: ['repeats in each epoch', 'a record in the topic'],
  bufferCount: [isCut, mapWithState],
  bufferTime: [isCut, 'the epoch itself: checkpoint.interval.ms'],
  buffer: [isCut, mapWithState],
  bufferWhen: [isCut, mapWithState],
  bufferToggle: [isCut, mapWithState],
  windowCount: [isCut, mapWithState],
  windowTime: [isCut, mapWithState],
  window: [isCut, mapWithState],
  windowWhen: [isCut, mapWithState],
  windowToggle: [isCut, mapWithState],
  groupBy: [isCut, mapWithState],
  zip: [isCut, mapWithState],
  zipWith: [isCut, mapWithState],
  switchMap: [drops, 'asyncLookup, or concatMap'],
  switchMapTo: [drops, 'asyncLookup, or concatMap'],
  exhaustMap: [drops, 'asyncLookup, or concatMap'],
  throttle: [drops, mapWithState],
  throttleTime: [drops, "asyncLookup's rateLimit to slow down without loss"],
  debounce: [drops, mapWithState],
  debounceTime: [drops, mapWithState],
  audit: [drops, mapWithState],
  auditTime: [drops, mapWithState],
  sample: [drops, mapWithState],
  sampleTime: [drops, mapWithState],
  take: ['ends the epoch early, which stops the job', 'filter'],
  takeUntil: ['ends the epoch early, which stops the job', 'filter'],
  takeWhile: ['ends the epoch early, which stops the job', 'filter'],
  takeLast: [isCut, mapWithState],
  first: ['ends the epoch early, which stops the job', 'filter'],
  last: [isCut, mapWithState],
  single: [isCut, 'filter'],
  skip: ['skips in each epoch', 'startFrom, or mapWithState'],
  skipLast: [isCut, mapWithState],
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
