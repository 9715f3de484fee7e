import type { PipelineContext } from '../core/context.ts'
import type { SettingSpecs, SettingsOf } from '../core/setting.ts'
import type { Job, Pipelines } from './defineJob.ts'

/** A job with its decoded settings, as the runtime handles it. */
export interface RunnableJob {
  readonly name: string
  readonly settings: unknown
  pipeline(context: PipelineContext): Pipelines
}

/** Binds a job to its settings; every context that its pipeline is given carries them. */
export function runnableJob<Specs extends SettingSpecs>(job: Job<Specs>, settings: SettingsOf<Specs>): RunnableJob {
  return {
    name: job.name,
    settings,
    // The runtime hands `settings` on untouched, so the context has them with their types.
    pipeline: (context) => job.pipeline(context as PipelineContext<SettingsOf<Specs>>),
  }
}
