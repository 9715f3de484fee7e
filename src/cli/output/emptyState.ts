import type { StateAttempt } from '../../core/ports/taskState.ts'
import { StateOverlay } from '../../state/stateOverlay.ts'

/** Keyed state that begins empty, is kept in memory while records are traced, and is never committed. */
export function emptyState(): StateAttempt {
  return new StateOverlay({ get: () => undefined }, { generation: 0 })
}
