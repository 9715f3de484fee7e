import type { MonoTypeOperatorFunction } from 'rxjs'
import { operatorContext, type PipelineContext } from '../../../src/core/context.ts'
import { operate } from '../../../src/core/operate.ts'
import type { StreamRecord } from '../../../src/core/record.ts'
import { refuseTo, stepOptions, type StepOptions } from '../../../src/core/stepOptions.ts'
import { LinesFollower } from './linesFollower.ts'

export interface ToLinesOptions extends StepOptions {
  readonly uid: string
  readonly directory: string
}

/** Writes each record's text as a line of a file, one file for each task, exactly once; passes it on. */
export function toLines(context: PipelineContext, options: ToLinesOptions): MonoTypeOperatorFunction<StreamRecord> {
  const operator = operatorContext(context)
  const { uid, directory } = options
  const step = operator.step({ kind: 'toLines', role: 'sink', ...stepOptions(options) })
  const sink = operator.follow(step, { uid, follower: () => new LinesFollower(directory) })
  const refuse = refuseTo(operator, options.onError)
  return (source$) =>
    operate(step, source$, (destination) => ({
      next(record) {
        const row = record.raw ?? Buffer.alloc(0)
        const refusal = sink.refusal(row, record)
        if (refusal === null) sink.send(row, record)
        else refuse(refusal, record)
        destination.next(record)
      },
    }))
}
