/**
 * Runs actions at the same time and waits until all have ended. The first failure aborts the signal of the others
 * and is what the returned promise rejects with, so that nothing goes on unseen after it.
 */
export async function sideBySide<Results extends readonly unknown[]>(
  signal: AbortSignal,
  actions: { readonly [Index in keyof Results]: (signal: AbortSignal) => Promise<Results[Index]> },
): Promise<Results> {
  const failed = new AbortController();
  const shared = AbortSignal.any([signal, failed.signal]);
  const settled = await Promise.allSettled(actions.map(async (action) => {
    try {
      return await action(shared);
    } catch (error) {
      failed.abort(error);
      throw error;
    }
  }));
  if (failed.signal.aborted) throw failed.signal.reason;
  return settled.map((result) =>
    result.status === "fulfilled" ? result.value : undefined
  ) as unknown as Results;
}
