import type { Plan } from '../runtime/plan/plan.ts'
import type { LoadedJob } from './loadJob.ts'

/** A job as people are told of it: by the name under which it is deployed, and by its file's where that is another one. */
export function deployment(plan: Plan, { path, job }: LoadedJob): string {
  return plan.job === job.name ? plan.job : `${plan.job} (job ${job.name} of ${path})`
}
