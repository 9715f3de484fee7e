import type { JobLog, TaskListener } from '../../src/core/ports/jobLog.ts'
import type { EpochTransaction } from '../../src/core/ports/commitLog.ts'
import type { TaskLog } from '../../src/core/ports/taskLog.ts'
import type { JobEnvironment } from '../../src/runtime/job/jobEnvironment.ts'

/** The object with some of its methods replaced; the others go on working on the object itself. */
export function override<T extends object>(object: T, replaced: Partial<T>): T {
  return new Proxy(object, {
    get(target, name) {
      const own: unknown = Reflect.get(replaced, name)
      if (own !== undefined) return own
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === 'function' ? (value.bind(target) as unknown) : value
    },
  })
}

/** A world whose tasks see their log through `change`. */
export function withTaskLog(change: (log: TaskLog) => TaskLog): (world: JobEnvironment) => JobEnvironment {
  return (world) =>
    override(world, {
      openLog: async (spec) => {
        const jobLog = await world.openLog(spec)
        return override<JobLog>(jobLog, {
          join: (listener) =>
            jobLog.join(
              override<TaskListener>(listener, {
                assigned: (task) => {
                  listener.assigned(change(task))
                },
              }),
            ),
        })
      },
    })
}

/** A world whose transactions are changed, the one of epoch 0 included; they are counted from 0. */
export function withTransactions(
  change: (transaction: EpochTransaction, index: number) => EpochTransaction,
): (world: JobEnvironment) => JobEnvironment {
  let begun = 0
  return withTaskLog((log) =>
    override(log, {
      commitLog: override(log.commitLog, {
        begin: () => {
          begun += 1
          return change(log.commitLog.begin(), begun - 1)
        },
      }),
    }),
  )
}
