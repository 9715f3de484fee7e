/** What a path answers. */
export interface Reply {
  readonly status: number
  /** Content-Type. */
  readonly type: string
  readonly body: string | Uint8Array
  readonly contentSecurityPolicy?: string
}

export function plain(status: number, text: string): Reply {
  return { status, type: 'text/plain; charset=utf-8', body: `${text}\n` }
}
