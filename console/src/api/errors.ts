/** An answer other than 2xx, or none at all (`status` 0). `message` is the API's own. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly code: string | null = null,
    readonly param: string | null = null,
    readonly retryAfterS: number | null = null,
    readonly requestId: string | null = null,
  ) {
    super(message);
    this.name = "ApiError";
  }

  /** Whether to ask again by itself is worth it. */
  get passing(): boolean {
    return this.status === 0 || this.status >= 500 || (this.status === 429 && (this.retryAfterS ?? 1) <= 60);
  }
}

const ID_HEADERS = ["apigw-requestid", "x-amzn-requestid", "x-amzn-trace-id"];

export const errorOf = async (answer: Response): Promise<ApiError> => {
  const body: unknown = await answer.json().catch(() => null);
  const error = (body as { error?: { message?: string; code?: string | null; param?: string | null } } | null)?.error;
  const wait = Number(answer.headers.get("retry-after"));
  return new ApiError(
    answer.status,
    error?.message ?? `HTTP ${answer.status}`,
    error?.code ?? null,
    error?.param ?? null,
    Number.isFinite(wait) && wait > 0 ? wait : null,
    ID_HEADERS.map((name) => answer.headers.get(name)).find(Boolean) ?? null,
  );
};

export const asApiError = (error: unknown): ApiError =>
  error instanceof ApiError ? error : new ApiError(0, error instanceof Error ? error.message : String(error));
