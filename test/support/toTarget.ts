import type { MonoTypeOperatorFunction } from 'rxjs'
import { operatorContext, type PipelineContext } from '../../src/core/context.ts'
import type { Follower } from '../../src/core/ports/follower.ts'
import { operate } from '../../src/core/operate.ts'
import type { StreamRecord } from '../../src/core/record.ts'
import { stepOptions, type StepOptions } from '../../src/core/stepOptions.ts'

export interface ToTargetOptions extends StepOptions {
  readonly uid: string
  readonly follower: () => Follower
}

/** A sink that follows the commits: each record's value is a row. */
export function toTarget(context: PipelineContext, options: ToTargetOptions): MonoTypeOperatorFunction<StreamRecord> {
  const operator = operatorContext(context)
  const step = operator.step({ kind: 'toTarget', role: 'sink', ...stepOptions(options) })
  const sink = operator.follow(step, options)
  return (source$) =>
    operate(step, source$, (destination) => ({
      next(record) {
        sink.send(record.raw ?? Buffer.alloc(0), record)
        destination.next(record)
      },
    }))
}
