import path from 'node:path'
import type { SettingSpecs } from '../core/setting.ts'
import type { Job } from '../runtime/plan/defineJob.ts'
import { processIo } from './cliIo.ts'
import { pathFrom } from './loadJob.ts'

/**
 * Makes a job file a program of its own: `node jobs/reconcile.ts --follow` is `tidemark run jobs/reconcile.ts --follow`.
 *
 *     if (import.meta.main) await runMain(job)
 *
 * Resolves when the job has ended; the exit code is set and errors are printed.
 */
export async function runMain<Specs extends SettingSpecs>(job: Job<Specs>): Promise<void> {
  // Only for a job that runs by itself: importing a job file to plan or test it does not load the command line.
  const { runCli } = await import('./runCli.ts')
  // As in the launcher: what a job keeps is its user's alone.
  process.umask(0o077)
  const io = processIo()
  const [, file = 'job', ...args] = process.argv
  const shown = pathFrom(path.resolve(file), io.directory)
  process.exitCode = await runCli(['run', shown, ...args], io, { path: shown, job })
}
