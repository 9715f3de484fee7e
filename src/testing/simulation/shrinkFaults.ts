import { callClasses, faultKinds, maxFaultMs, type Fault } from './faults.ts'

/** Histories that are tried at most; each is a run of the whole world. */
const maxTries = 400

/**
 * The smallest history that still fails: with fewer faults, simpler ones, at earlier calls and for shorter times.
 *
 * @param fails runs a history and says whether it breaks the same invariant.
 */
export async function shrinkFaults(
  faults: readonly Fault[],
  fails: (faults: readonly Fault[]) => Promise<boolean>,
): Promise<readonly Fault[]> {
  // Only who has a failure to look at needs it.
  const { array, asyncProperty, check, constantFrom, nat, record } = await import('fast-check')
  const fault = record({
    kind: constantFrom(...faultKinds),
    call: constantFrom(...callClasses),
    nth: nat(1_000),
    ms: nat(maxFaultMs),
  })
  let tries = 0
  let smallest = faults
  const holds = asyncProperty(array(fault, { maxLength: Math.max(10, faults.length) }), async (history) => {
    tries += 1
    if (tries > maxTries || !(await fails(history))) return true
    smallest = history
    return false
  })
  await check(holds, { examples: [[[...faults]]], numRuns: 1 })
  return smallest
}
