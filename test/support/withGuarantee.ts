import { defineJob, type Job, type SettingSpecs } from 'tidemark'
import type { Guarantee } from '../../src/core/ports/outputs.ts'
import { contextWith } from './contextWith.ts'

/** The same job under a name of its own, with another guarantee for all of its sinks. */
export function withGuarantee<Specs extends SettingSpecs>(job: Job<Specs>, guarantee: Guarantee): Job<Specs> {
  return defineJob({
    ...job,
    name: `${job.name}-${guarantee}`,
    pipeline: (context) =>
      job.pipeline(
        contextWith(context, (attempt) => ({ sink: (step, spec) => attempt.sink(step, { ...spec, guarantee }) })),
      ),
  })
}
