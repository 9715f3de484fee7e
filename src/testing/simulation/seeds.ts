import { TidemarkError } from '../../core/errors.ts'

/** Which seeds are run. */
export interface Seeds {
  /** This one only; the report then holds its timeline. */
  readonly seed?: number
  /** So many, from 1 or `from` on. Default 100. */
  readonly seeds?: number | { readonly from: number; readonly count: number }
}

/** The seeds that the options name, or the one in the environment's TIDEMARK_SEED. */
export function seedsOf(
  { seed, seeds = 100 }: Seeds,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): readonly number[] {
  const wanted = environment['TIDEMARK_SEED']
  if (wanted !== undefined && wanted !== '') return [checkSeed(Number(wanted))]
  if (seed !== undefined) return [checkSeed(seed)]
  const { from, count } = typeof seeds === 'number' ? { from: 1, count: seeds } : seeds
  return Array.from({ length: count }, (_, index) => checkSeed(from + index))
}

function checkSeed(seed: number): number {
  if (Number.isSafeInteger(seed)) return seed
  throw new TidemarkError(
    'invalid-argument',
    `A seed must be an integer below 2^53, not ${String(seed)}; for example 17.`,
  )
}
