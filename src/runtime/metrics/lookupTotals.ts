import { LookupStatistics } from '../../core/lookupStatistics.ts'

/** The statistics of the lookup steps among what a task's steps keep, by step name. */
export function lookupsOf(kept: ReadonlyMap<string, unknown>): readonly (readonly [string, LookupStatistics])[] {
  return [...kept].flatMap(([step, value]) => {
    if (typeof value !== 'object' || value === null || !('statistics' in value)) return []
    return value.statistics instanceof LookupStatistics ? [[step, value.statistics] as const] : []
  })
}

/** Adds the second to the first. */
export function addLookups(sum: LookupStatistics, part: LookupStatistics): void {
  sum.requests += part.requests
  sum.lookups += part.lookups
  sum.hits += part.hits
  sum.misses += part.misses
  sum.retries += part.retries
  sum.timeouts += part.timeouts
  sum.probes += part.probes
  sum.outages += part.outages
  sum.inFlight += part.inFlight
  sum.abandoned += part.abandoned
  sum.gateClosed += part.gateClosed
  sum.latencySumMs += part.latencySumMs
  sum.latencyCount += part.latencyCount
  for (const [code, count] of part.errors) sum.errors.set(code, (sum.errors.get(code) ?? 0) + count)
  for (const [bucket, count] of part.latencyBuckets.entries()) {
    sum.latencyBuckets[bucket] = (sum.latencyBuckets[bucket] ?? 0) + count
  }
}
