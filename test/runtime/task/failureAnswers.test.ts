import { expect, test } from 'vitest'
import { TidemarkError } from '../../../src/core/errors.ts'
import { FailureAnswers } from '../../../src/runtime/task/failureAnswers.ts'
import type { JobShared } from '../../../src/runtime/job/jobShared.ts'
import { ManualClock } from '../../../src/testing/world/manualClock.ts'
import { TestLog } from '../../connectors/kafka/kafkaJob.ts'
import { offsetFormat } from '../../../src/core/offsetPosition.ts'

test('a recovery that is tried again says why', async () => {
  const log = new TestLog()
  const job = { log, clock: new ManualClock(0) } as unknown as JobShared
  const answers = new FailureAnswers(job, { partition: 3, inputs: { format: offsetFormat } }, AbortSignal.abort())
  await answers.toFailedRecovery(new TidemarkError('system-unreachable', 'The marker has not arrived'))
  expect(log.lines.map(({ fields }) => fields)).toEqual([
    { partition: 3, code: 'system-unreachable', reason: 'The marker has not arrived' },
  ])
})
