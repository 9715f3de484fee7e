import type { MonoTypeOperatorFunction } from 'rxjs'
import { operatorContext, type FollowSpec, type PipelineContext } from '../../src/core/context.ts'
import { operate } from '../../src/core/operate.ts'
import type { StreamRecord } from '../../src/core/record.ts'
import { stepOptions, type StepOptions } from '../../src/core/stepOptions.ts'

export interface ToTargetOptions extends StepOptions {
  readonly uid: string
  readonly follower: FollowSpec['follower']
  /** Default: the record's value. */
  readonly row?: (record: StreamRecord) => Buffer
}

/** A sink that follows the commits: each record's value is a row. */
export function toTarget(context: PipelineContext, options: ToTargetOptions): MonoTypeOperatorFunction<StreamRecord> {
  const operator = operatorContext(context)
  const step = operator.step({ kind: 'toTarget', role: 'sink', ...stepOptions(options) })
  const { row = ({ raw }) => raw ?? Buffer.alloc(0) } = options
  const sink = operator.follow(step, options)
  return (source$) =>
    operate(step, source$, (destination) => ({
      next(record) {
        sink.send(row(record), record)
        destination.next(record)
      },
    }))
}
