import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { api, body, type RequestBody, type Video } from "@/api/client";

/** The fields that ask for the same video once more. */
export const requestOf = (video: Video): RequestBody => ({
  model: video.model,
  size: video.size,
  fps: video.fps,
  num_inference_steps: video.num_inference_steps,
  guidance_scale: video.guidance_scale,
  priority: video.priority as NonNullable<RequestBody["priority"]>,
  output: video.output,
  continuity: video.continuity as NonNullable<RequestBody["continuity"]>,
  seed: video.seed,
  metadata: video.metadata,
  ...(video.guidance_scale_2 == null ? {} : { guidance_scale_2: video.guidance_scale_2 }),
  ...(video.scheduler == null ? {} : { scheduler: video.scheduler }),
  ...(video.flow_shift == null ? {} : { flow_shift: video.flow_shift }),
  ...(video.negative_prompt ? { negative_prompt: video.negative_prompt } : {}),
  ...(video.tier == null ? {} : { tier: video.tier as NonNullable<RequestBody["tier"]> }),
  ...(video.loras?.length ? { loras: video.loras } : {}),
  ...(video.prompt ? { prompt: video.prompt } : {}),
  ...(video.shots?.length ? { shots: video.shots } : { num_frames: video.num_frames }),
});

/** Whether these fields are all that the video was made of: the API shows neither the image that one begins at, nor the
 * pictures that a character is learned from. */
export const isRepeatable = (video: Video): boolean => !video.has_image && video.character_id == null;

/** Ask for the same video again. */
export const useAgain = (video: Video) => {
  const navigate = useNavigate();
  const client = useQueryClient();
  return useMutation({
    mutationFn: async () =>
      body(
        await api.POST("/v1/videos", {
          body: requestOf(video),
          params: { header: { "Idempotency-Key": crypto.randomUUID() } },
        }),
      ),
    onSuccess: (made) => {
      void client.invalidateQueries({ queryKey: ["get", "/v1/videos"] });
      void navigate({ to: "/videos/$videoId", params: { videoId: made.id } });
    },
  });
};
