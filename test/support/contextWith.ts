import { operatorContext, type OperatorContext, type PipelineContext } from 'tidemark'

/** The same context with some of its methods replaced; a real one cannot be spread, its methods need it as their `this`. */
export function contextWith<S>(
  context: PipelineContext<S>,
  replaced: (own: OperatorContext<S>) => Partial<Pick<OperatorContext<S>, 'source' | 'sink'>>,
): PipelineContext<S> {
  const attempt = operatorContext(context)
  const members = replaced(attempt)
  return new Proxy(attempt, {
    get(target, property) {
      const own = Object.hasOwn(members, property)
      const member: unknown = own ? Reflect.get(members, property) : Reflect.get(target, property, target)
      if (own || typeof member !== 'function') return member
      const bound: unknown = member.bind(target)
      return bound
    },
  })
}
