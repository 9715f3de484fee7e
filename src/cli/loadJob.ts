import { statSync } from 'node:fs'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { TidemarkError } from '../core/errors.ts'
import { isJob, type Job } from '../runtime/plan/defineJob.ts'
import type { Plan } from '../runtime/plan/plan.ts'
import { loadFailure } from './loadFailure.ts'

/** A job with the name its file has in messages. */
export interface LoadedJob {
  /** Relative to the working directory where that is shorter: `jobs/reconcile.ts`. */
  readonly path: string
  readonly job: Job
}

/**
 * Imports a job file. Importing defines a job and starts nothing.
 *
 * Throws `job-not-found` for a file that is missing or has no default export made by `defineJob`, `job-not-loaded` for one
 * that cannot be loaded.
 */
export async function loadJob(file: string, directory: string): Promise<LoadedJob> {
  const absolute = path.resolve(directory, file)
  const name = pathFrom(absolute, directory)
  const details = { path: name }
  if (statSync(absolute, { throwIfNoEntry: false })?.isFile() !== true) {
    throw new TidemarkError('job-not-found', `There is no job file ${name} (in ${directory}).`, { details })
  }
  let exports: { readonly default?: unknown }
  try {
    exports = (await import(pathToFileURL(absolute).href)) as { readonly default?: unknown }
  } catch (error) {
    // An error of ours comes from defineJob and says more than that loading failed.
    if (error instanceof TidemarkError) throw error
    throw loadFailure(error, absolute, (other) => pathFrom(other, directory))
  }
  if (!isJob(exports.default)) {
    throw new TidemarkError(
      'job-not-found',
      `${name} exports no job: it needs "export default defineJob({ name, pipeline })".`,
      { details },
    )
  }
  return { path: name, job: exports.default }
}

/** A job as people are told of it: by the name under which it is deployed, and by its file's where that is another one. */
export function deployment(plan: Pick<Plan, 'job'>, { path: file, job }: LoadedJob): string {
  return plan.job === job.name ? plan.job : `${plan.job} (job ${job.name} of ${file})`
}

/** A path as a person in this directory would write it. */
export function pathFrom(absolute: string, directory: string): string {
  const relative = path.relative(directory, absolute)
  return relative === '' || relative.startsWith('..') ? absolute : relative
}
