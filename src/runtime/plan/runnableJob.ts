import type { OperatorContext, PipelineContext } from '../../core/context.ts'
import type { Secrets } from '../../core/secrets.ts'
import type { SettingSpecs, SettingsOf } from '../../core/setting.ts'
import type { Job, Pipelines } from './defineJob.ts'
import type { ResolvedSettings } from '../settings/resolvedSettings.ts'

/** A job with its decoded settings, as the runtime handles it. */
export interface RunnableJob {
  /** As deployed: everything that stands for the job outside of its file derives from it. */
  readonly name: string
  readonly settings: unknown
  /** What its settings say, and no text that leaves the process. */
  readonly secrets: Secrets
  pipeline(context: OperatorContext): Pipelines
}

/** Binds a job to its settings; every context that its pipeline is given carries them. */
export function runnableJob<Specs extends SettingSpecs>(
  job: Job<Specs>,
  settings: ResolvedSettings<Specs>,
): RunnableJob {
  return {
    name: settings.get('job.name') ?? job.name,
    settings: settings.job,
    secrets: settings.secrets,
    // The runtime hands `settings` on untouched, so the context has them with their types.
    pipeline: (context) => job.pipeline(context as PipelineContext<SettingsOf<Specs>>),
  }
}
