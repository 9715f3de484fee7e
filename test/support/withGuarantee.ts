import { defineJob, type Job, type PipelineContext, type SettingSpecs } from 'tidemark'
import type { Guarantee } from '../../src/core/taskLog.ts'

/** The same job under a name of its own, with another guarantee for all of its sinks. */
export function withGuarantee<Specs extends SettingSpecs>(job: Job<Specs>, guarantee: Guarantee): Job<Specs> {
  return defineJob({
    ...job,
    name: `${job.name}-${guarantee}`,
    pipeline: (context) => job.pipeline(weakened(context, guarantee)),
  })
}

function weakened<S>(context: PipelineContext<S>, guarantee: Guarantee): PipelineContext<S> {
  return new Proxy(context, {
    get(target, property) {
      if (property === 'sink') {
        return (...[step, spec]: Parameters<PipelineContext['sink']>) => target.sink(step, { ...spec, guarantee })
      }
      const member: unknown = Reflect.get(target, property, target)
      // Methods of the real context need it as their `this`.
      if (typeof member !== 'function') return member
      const bound: unknown = member.bind(target)
      return bound
    },
  })
}
