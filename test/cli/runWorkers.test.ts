import { expect, it } from 'vitest'
import type { ExitCode } from '../../src/cli/output/errorText.ts'
import { runWorkers } from '../../src/cli/runWorkers.ts'
import type { WorkerProcess } from '../../src/cli/workerProcess.ts'
import type { CliIo } from '../../src/cli/cliIo.ts'
import { systemClock } from '../../src/core/ports/clock.ts'
import { silentLogger } from '../../src/core/ports/logger.ts'
import type { JobResult } from '../../src/runtime/metrics/jobMetrics.ts'

const result = (records: number): JobResult => ({
  outcome: 'completed',
  records,
  epochs: 1,
  undecided: 0,
  aborted: 0,
  tallies: [{ name: 'messages', labels: ['ks', 'NONE'], count: records }],
  phases: { emitMs: 1, drainMs: 1, commitMs: 1, applyMs: 1 },
  durationMs: 10,
  gate: { closures: 1, closedMs: 2 },
})

interface Started {
  readonly stops: number[]
  end(index: number, code: ExitCode, result: JobResult | null): void
  stop(): void
  readonly io: CliIo
}

function workers(count: number): Started {
  const stops = Array.from({ length: count }, () => 0)
  const ends = stops.map(() => Promise.withResolvers<Awaited<WorkerProcess['ended']>>())
  let stop = (): void => undefined
  const io: Pick<CliIo, 'clock' | 'onStop' | 'startWorker'> = {
    clock: systemClock,
    onStop: (callback) => {
      stop = callback
      return () => undefined
    },
    startWorker: (index) => ({
      ended: ends[index]?.promise ?? Promise.reject(new Error('no such worker')),
      stop: () => {
        stops[index] = (stops[index] ?? 0) + 1
      },
    }),
  }
  return {
    stops,
    end: (index, code, ofWorker) => ends[index]?.resolve({ code, result: ofWorker }),
    stop: () => {
      stop()
    },
    // Nothing else of it is asked here.
    io: io as CliIo,
  }
}

it('workers end as one run, with the worst exit code and all of their results', async () => {
  const started = workers(3)
  const running = runWorkers(started.io, 3, silentLogger)
  started.end(0, 0, result(5))
  started.end(1, 3, null)
  started.end(2, 1, result(7))
  const { code, result: all } = await running
  expect(code).toBe(3)
  expect(all).toMatchObject({
    records: 12,
    epochs: 2,
    tallies: [{ name: 'messages', labels: ['ks', 'NONE'], count: 12 }],
    gate: { closures: 2, closedMs: 4 },
  })
})

it('a signal is passed on to each worker, once each time', async () => {
  const started = workers(2)
  const running = runWorkers(started.io, 2, silentLogger)
  started.stop()
  expect(started.stops).toEqual([1, 1])
  started.stop()
  expect(started.stops).toEqual([2, 2])
  started.end(0, 0, null)
  started.end(1, 0, null)
  expect(await running).toEqual({ code: 0, result: null })
})
