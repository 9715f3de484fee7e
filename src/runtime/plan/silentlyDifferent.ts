/** A stock operator that means something else within epochs, and what to use in its place. */
export interface Suspicion {
  readonly operator: string
  readonly effect: string
  readonly remedy: string
}

const hides = 'cannot report records that it holds or errors that it hides'
const keyedState = 'mapWithState(context, { uid, … }), whose state is part of the commit'

/** By what they do to epochs, and what to use in their place. */
const suspicious: readonly (readonly [effect: string, remedy: string, operators: string])[] = [
  [
    'starts afresh in each epoch',
    keyedState,
    'scan reduce count max min every isEmpty sequenceEqual combineLatestAll mergeScan switchScan distinct distinctUntilChanged distinctUntilKeyChanged pairwise withLatestFrom combineLatest combineLatestWith',
  ],
  [
    'is cut at each barrier',
    keyedState,
    'toArray forkJoin zipAll bufferCount buffer bufferWhen bufferToggle windowCount windowTime window windowWhen windowToggle groupBy zip zipWith takeLast last skipLast',
  ],
  ['is cut at each barrier', 'the epoch itself: checkpoint.interval.ms', 'bufferTime'],
  ['is cut at each barrier', 'filter', 'single'],
  ['drops records by design', 'asyncLookup, or concatMap', 'switchMap switchMapTo exhaustMap'],
  ['drops records by design', keyedState, 'throttle debounce debounceTime audit auditTime sample sampleTime'],
  ['drops records by design', "asyncLookup's rateLimit to slow down without loss", 'throttleTime'],
  [hides, 'onError: sideOutput', 'catchError onErrorResumeNext onErrorResumeNextWith'],
  [hides, 'asyncLookup for reads; keep mergeMap for synchronous expansion', 'mergeMap'],
  [hides, "asyncLookup's rateLimit", 'delay'],
  [hides, 'asyncLookup', 'delayWhen'],
  [hides, 'nothing: the source yields to the event loop by itself', 'observeOn'],
  ['ends the epoch early, which stops the job', 'filter', 'find findIndex elementAt take takeUntil takeWhile first'],
  ['fails every epoch without records', 'nothing: an epoch may be empty', 'throwIfEmpty'],
  ['repeats in each empty epoch', 'nothing: an epoch may be empty', 'defaultIfEmpty'],
  ['drops the other sources in each epoch', 'merge', 'race'],
  ['fails an epoch of an idle input', "asyncLookup's timeoutMs", 'timeout'],
  ['repeats in each epoch', 'a record in the topic', 'startWith endWith'],
  ['skips in each epoch', 'startFrom, or mapWithState', 'skip'],
  ['subscribes the source again, which stops the job', "onError, asyncLookup's retry, or restart.*", 'retry'],
  ['subscribes the source again, which stops the job', 'nothing: epochs follow each other by themselves', 'repeat'],
  ['may outlive its epoch, which stops the job', 'nothing: epochs are cut by checkpoint.interval.ms', 'timer'],
  ['never ends, so no epoch would', 'nothing: epochs are cut by checkpoint.interval.ms', 'interval'],
  ['subscribes its second source late, which stops the job', 'merge', 'concat'],
  ['subscribes its second source late, which stops the job', 'mergeWith', 'concatWith'],
  ['subscribes late, which stops the job', 'nothing: leave it out', 'subscribeOn'],
]

/**
 * Looks through a job file's rxjs imports for operators that run well and mean something else here. RxJS hides at run time
 * which operator is which, so the names of the imports are all there is; an operator imported under another roof is not seen.
 */
export function silentlyDifferent(jobFileText: string): readonly Suspicion[] {
  const imported = new Set<string>()
  const withoutComments = jobFileText.replaceAll(/\/\*[\s\S]*?\*\//g, '').replaceAll(/^\s*\/\/.*$/gm, '')
  for (const [, names = ''] of withoutComments.matchAll(
    /import\s*\{([^}]*)\}\s*from\s*['"]rxjs(?:\/operators)?['"]/g,
  )) {
    for (const entry of names.split(',')) imported.add(entry.trim().split(/\s+as\s+/)[0] ?? '')
  }
  return [...imported].flatMap((operator) => {
    const known = suspicious.find(([, , operators]) => operators.split(' ').includes(operator))
    return known === undefined ? [] : [{ operator, effect: known[0], remedy: known[1] }]
  })
}
