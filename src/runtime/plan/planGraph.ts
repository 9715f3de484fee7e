import type { StepSpec } from '../../core/context.ts'
import type { StepFigure } from '../../core/figures.ts'

/** A node of the plan: an operator that registered, or a side output. */
export interface PlanNode {
  readonly id: string
  readonly role: Required<StepSpec>['role'] | 'side output'
  readonly kind: string
  readonly name: string
  readonly uid: string | null
  readonly details: Readonly<Record<string, string | number | boolean>>
  /** Name of the side output its bad records go to. */
  readonly onError: string | null
  readonly figures: readonly StepFigure[]
}

/** Data flows from `from` to `to`. */
export interface PlanEdge {
  readonly from: string
  readonly to: string
}

/**
 * Finds the edges of a pipeline from the nesting of its subscriptions: whatever is subscribed while an operator subscribes
 * to its source is upstream of it, however many stock operators lie between.
 */
export class SubscriptionNesting {
  readonly #stack: string[] = []
  readonly #edges = new Map<string, PlanEdge>()

  /** The node that is subscribing now, the nearest consumer of what it subscribes to. */
  get consumer(): string | undefined {
    return this.#stack.at(-1)
  }

  enter(node: string): void {
    this.reach(node)
    this.#stack.push(node)
  }

  leave(): void {
    this.#stack.pop()
  }

  /** Notes that `node` was subscribed by whatever is subscribing now. */
  reach(node: string): void {
    const to = this.consumer
    if (to === undefined || to === node) return
    this.#edges.set(`${node}\u0000${to}`, { from: node, to })
  }

  get edges(): readonly PlanEdge[] {
    return [...this.#edges.values()]
  }
}

/** All nodes from which `node` can be reached along the edges, itself excluded unless it lies on a cycle. */
export function upstreamOf(node: string, edges: readonly PlanEdge[]): ReadonlySet<string> {
  const found = new Set<string>()
  const queue = [node]
  for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
    for (const { from, to } of edges) {
      if (to !== next || found.has(from)) continue
      found.add(from)
      queue.push(from)
    }
  }
  return found
}
