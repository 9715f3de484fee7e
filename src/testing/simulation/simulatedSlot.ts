import type { TaskId } from '../../core/ports/task.ts'
import type { RunningJob } from '../../runtime/job/startJob.ts'
import type { TestProcess } from '../world/testProcess.ts'
import { SimulatedDisk } from './simulatedDisk.ts'

/** A machine on which the job's process is started again whenever it ends. */
export class SimulatedSlot {
  readonly name: string
  /** Local state by task; it outlives the processes. */
  readonly disks: Map<string, { readonly task: TaskId; readonly disk: SimulatedDisk }> = new Map<
    string,
    { readonly task: TaskId; readonly disk: SimulatedDisk }
  >()
  process: TestProcess | null = null
  running: RunningJob | null = null
  starts = 0
  /** Until the next start, once the process has ended. */
  downMs = 0
  diskFullUntilMs = -Infinity
  /** True once a write has failed for want of space: the process may then stop for that reason. */
  hitFullDisk = false

  constructor(name: string) {
    this.name = name
  }

  disk(task: TaskId): SimulatedDisk {
    const name = JSON.stringify([task.job, task.group, task.partition])
    const known = this.disks.get(name)
    if (known !== undefined) return known.disk
    const disk = new SimulatedDisk()
    this.disks.set(name, { task, disk })
    return disk
  }
}
