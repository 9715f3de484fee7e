import { describe, expect, it } from 'vitest'
import { fromKafka } from '../../operators/fromKafka.ts'
import { toKafkaTransactional } from '../../operators/toKafka.ts'
import type { PipelineContext } from '../../src/core/context.ts'
import { TidemarkError } from '../../src/core/errors.ts'
import type { TaskLog } from '../../src/core/ports/taskLog.ts'
import { override, withTaskLog } from '../support/faultyLog.ts'
import { MemoryJob } from '../support/memoryJob.ts'

const copy = (context: PipelineContext) => [
  fromKafka(context, { topic: 'input', groupId: 'group' }).pipe(toKafkaTransactional(context, { topic: 'output' })),
]

/** The owner before has died within a commit: its offsets are told only when a fence has decided it. */
function undecided(log: TaskLog, asked: () => void): TaskLog {
  let fenced = false
  const commitLog = override(log.commitLog, {
    fence: async () => {
      await log.commitLog.fence()
      fenced = true
    },
    committed: async () => {
      if (fenced) return log.commitLog.committed()
      asked()
      throw new TidemarkError('system-unreachable', 'UNSTABLE_OFFSET_COMMIT')
    },
  })
  return override(log, { commitLog })
}

describe('a start after a process that has died within a commit', () => {
  it('does not ask before the fence what only the fence decides', async () => {
    const job = new MemoryJob()
    job.write('input', ['a'])
    await job.run(copy)
    job.write('input', ['b'])
    let asked = 0
    await job.run(copy, {
      environment: withTaskLog((log) =>
        undecided(log, () => {
          asked += 1
        }),
      ),
    })
    expect(job.read('output')).toEqual(['a', 'b'])
    expect(asked).toBe(0)
  })

  it('goes on also when that was the first one, of which nothing shows yet', async () => {
    const job = new MemoryJob()
    job.write('input', ['a'])
    await job.run(copy, { environment: withTaskLog((log) => undecided(log, () => undefined)) })
    expect(job.read('output')).toEqual(['a'])
  })
})
