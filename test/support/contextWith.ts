import type { PipelineContext } from 'tidemark'

/** The same context with some of its methods replaced; a real one cannot be spread, its methods need it as their `this`. */
export function contextWith<S>(
  context: PipelineContext<S>,
  replaced: Partial<Pick<PipelineContext<S>, 'source' | 'sink'>>,
): PipelineContext<S> {
  return new Proxy(context, {
    get(target, property) {
      const own = Object.hasOwn(replaced, property)
      const member: unknown = own ? Reflect.get(replaced, property) : Reflect.get(target, property, target)
      if (own || typeof member !== 'function') return member
      const bound: unknown = member.bind(target)
      return bound
    },
  })
}
