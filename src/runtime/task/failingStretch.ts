/**
 * Finds the record that makes a pipeline fail. The first failure of a stretch is simply replayed; when the same stretch
 * fails again it is re-run at once in halves, down to one record. Each commit doubles the length back.
 *
 * The halving also cures an epoch that keeps exceeding its checkpoint timeout.
 */
export class FailingStretch {
  /** Offset key of the stretch that failed last; null after a commit. */
  #failedAt: string | null = null
  #limit = Infinity

  /** Records the next attempt may take. */
  get limit(): number {
    return this.#limit
  }

  committed(): void {
    this.#failedAt = null
    this.#limit = this.#limit * 2 > longest ? Infinity : this.#limit * 2
  }

  /**
   * What follows a failure of an attempt that began at `start` and had taken `records`:
   * - `replay`: a first failure; the restart strategy decides when.
   * - `halve`: the same stretch failed again; run it again at once, shorter, as part of the same failure.
   * - `poison`: one record alone fails; the restart strategy decides.
   */
  failed(start: string, records: number): 'replay' | 'halve' | 'poison' {
    if (this.#failedAt !== start) {
      this.#failedAt = start
      // A stretch that was already cut short goes on being searched: the record lies in its other half.
      if (this.#limit === Infinity) return 'replay'
    }
    if (records <= 1) {
      this.#limit = 1
      return 'poison'
    }
    this.#limit = Math.max(1, Math.ceil(Math.min(records, this.#limit) / 2))
    return 'halve'
  }
}

/** Beyond this the cut by records no longer matters; bytes and time cut epochs. */
const longest = 1_000_000
