"""The workflows' notes in Chinese: each line by its English one. Titles of nodes stay as the page shows them."""

_FITS = "SD 1.5 的 16 帧 512 x 512 用 6 GB 显卡即可。"
_COST = f"耗时约为同尺寸 16 张图的 1.7 倍。{_FITS}"
_TRAIN = "用模板 *train_motion_lamp* 训练，然后按 R 刷新列表。"
_WORDS = "以及用适配器训练字幕中的说法描述的运动。"
CHINESE = {
    # text_to_video_zero
    "**Checkpoint**: any image model: SD 1.x, SD 2.x or SDXL (for SDXL set 1024 in **Size**, and twice the way in "
    "**Motion**).":
        "**Checkpoint**：任意图像模型：SD 1.x、SD 2.x 或 SDXL（用 SDXL 时把 **Size** 设为 1024，"
        "**Motion** 中的位移加倍）。",
    "**Motion**: px to the right and down from frame to frame; negative is left and up.":
        "**Motion**：每帧向右、向下移动的像素数；负数为向左、向上。",
    "**Prompt**: what is to be seen; **Size**: *batch_size* is the number of frames.":
        "**Prompt**：画面内容；**Size**：*batch_size* 即帧数。",
    "Takes as long as 8 pictures of this size, and their memory.": "耗时与内存相当于同尺寸的 8 张图。",
    # TI2V-Zero
    "**Checkpoint**, **Motion adapter**: an image model and an AnimateDiff motion module for it, or *Load ModelScope "
    "T2V* in place of both, with a CLIP and a VAE loader. **Motion's LoRA**: what came with the motion; nothing did? "
    "Bypass it with Ctrl-B.":
        "**Checkpoint**、**Motion adapter**：图像模型与相配的 AnimateDiff 运动模块；或用 "
        "*Load ModelScope T2V* 代替两者，另加 CLIP "
        "与 VAE 加载器。**Motion's LoRA**：运动模块附带的 LoRA；没有就用 Ctrl-B 绕过。",
    "**First frame**: your picture; **Scale** brings it to a size the model likes.":
        "**First frame**：你的图片；**Scale** 把它缩放到模型适合的尺寸。",
    "**Sampler**: *balanced* for a first look (20 calls of the model per new frame), *exact* for the result (50), "
    "*fast* where it is all the same (5).":
        "**Sampler**：先用 *balanced* 看效果（每个新帧调用模型 20 次），成品用 *exact*（50 次），不讲究时"
        "用 *fast*（5 次）。",
    "Each call of the model takes about 1.7 times as long as a step of 16 pictures; the sampler says on itself how "
    "many there are. 16 frames of 512 x 512 by SD 1.5 fit a card of 6 GB.":
        f"每次调用模型的耗时约为 16 张图一步的 1.7 倍；共调用多少次，采样器会写在节点上。{_FITS}",
    "**First frame**: your picture.": "**First frame**：你的图片。",
    "**Sampler**: *length* as you like; time grows with it, memory of the sampling does not.":
        "**Sampler**：*length* 随意；时间随之增加，采样所需内存不变。",
    "**Clip**: a video in the *input* folder; **Known frames** keeps its last 15, which go on.":
        "**Clip**：*input* 文件夹中的视频；**Known frames** 取其最后 15 帧，由此继续。",
    "**Sampler**: *length* counts the known frames too.": "**Sampler**：*length* 也包括已知的帧。",
    "**First picture**, **Last picture**: where the clip begins and where it ends; several frames are fine too. The "
    "same picture twice makes a loop.":
        "**First picture**、**Last picture**：视频的开头与结尾；也可各给多帧。两处用同一张图片就是循环。",
    "**Sampler**: *length* counts them too. Gaps at other places: all frames into *frames*, and a mask of those you "
    "know.":
        "**Sampler**：*length* 也包括这些帧。空缺在别处时：把全部帧接到 *frames*，再用遮罩标出已知的帧。",
    # LAMP
    "**Clips**: a folder in ComfyUI's *input* folder with 8 to 16 videos of one motion, beside each a .txt file of the "
    "same name that says what is seen.":
        "**Clips**：ComfyUI 的 *input* 文件夹中的一个子文件夹，内有同一种运动的 8 到 16 段视频，每段旁边"
        "放一个同名 .txt 文件，写明画面内容。",
    "**Checkpoint**: the image model that is to learn it: SD 1.x, SD 2.x or SDXL (for SDXL raise width and height in "
    "**Train**).":
        "**Checkpoint**：要学习运动的图像模型：SD 1.x、SD 2.x 或 SDXL（用 SDXL 时调大 **Train** 中的宽和高）。",
    "**Save adapter**: the name under which *Load Motion Adapter* will list the motion.":
        "**Save adapter**：运动的名称，*Load Motion Adapter* 以此列出。",
    "**Train** says on itself what memory it will take, and shows the loss. Cancel keeps what is learnt.":
        "**Train** 会在节点上写明所需内存，并显示损失。取消时保留已学到的内容。",
    "**Motion adapter**: the motion to use; train one with the template *train_motion_lamp*, then press R to refresh "
    "the list.":
        f"**Motion adapter**：要使用的运动；{_TRAIN}",
    "**First frame**: your picture; **Scale** brings it to the size the motion was trained at.":
        "**First frame**：你的图片；**Scale** 把它缩放到训练时的尺寸。",
    "**Prompt**: what the picture shows, and the motion in the words of the adapter's captions.":
        f"**Prompt**：图片的内容，{_WORDS}",
    "Takes about 1.7 times as long as 16 pictures of this size. 16 frames of 512 x 512 by SD 1.5 fit a card of 6 GB.":
        _COST,
    "Takes about twice as long as 16 pictures of this size. 16 frames of 512 x 512 by SD 1.5 fit a card of 6 GB.":
        f"耗时约为同尺寸 16 张图的两倍。{_FITS}",
    "**Prompt**: what is to be seen, and the motion in the words of the adapter's captions.":
        f"**Prompt**：画面内容，{_WORDS}",
    "**First frame sampler** and **Noise**: other seeds give another picture and another course of the motion.":
        "**First frame sampler** 与 **Noise**：换种子得到另一张首帧、另一种运动过程。",
    "**First-frame checkpoint**, **First-frame prompt**: who paints the picture, and what is on it.":
        "**First-frame checkpoint**、**First-frame prompt**：用哪个模型画首帧，画什么。",
    "**Checkpoint**, **Prompt**: the model the motion was trained on, and the motion in the words of its captions.":
        "**Checkpoint**、**Prompt**：训练运动所用的模型，以及用训练字幕中的说法描述的运动。",
    # Recurrent
    "**Motion adapter**: a motion of the method *Recurrent*; train one with the template *train_motion_lamp*, Train "
    "Motion LoRA set to that method, then press R to refresh the list.":
        "**Motion adapter**：用 *Recurrent* 方法学到的运动；在模板 *train_motion_lamp* 中把 **Train** 设"
        "为该方法来训练，然后按 R "
        "刷新列表。",
    "**Length and size**: batch_size is the number of frames; **Noise**: another seed is another clip.":
        "**Length and size**：batch_size 即帧数；**Noise**：换种子即另一段视频。",
    # editing
    "**Video**: the clip to edit, and in **Caption** what is seen in it; the first 16 of its frames are taken.":
        "**Video**：要编辑的视频，**Caption** 写明其内容；取其前 16 帧。",
    "**Prompt**: what is to be seen instead. The first frame is painted anew along the clip's edges (**Edges**), the "
    "others follow it.":
        "**Prompt**：改成什么。首帧沿原视频的边缘（**Edges**）重画，其余各帧随之。",
    "**Checkpoint**, **ControlNet**: an image model and a canny ControlNet of the same family.":
        "**Checkpoint**、**ControlNet**：图像模型，以及同族的 canny ControlNet。",
    "A training of 500 steps, then 50 steps to find the clip's noise and 50 to draw it anew.":
        "训练 500 步，再用 50 步求出视频的噪声，50 步重画。",
    "**Prompt**: what is to be seen instead, as in **First frame**: the miniature has no ControlNet, the published "
    "form paints that picture here.":
        "**Prompt**：改成什么，与 **First frame** 一致：微型模型没有 ControlNet，正式模板会在此画出这张图。",
    "**Checkpoint**: an image model.": "**Checkpoint**：图像模型。",
    "**Prompt**: what is to be seen instead, in the same words as far as it stays the same.":
        "**Prompt**：改成什么；不变的部分用原来的说法。",
    "**Sampler**: a higher cfg follows the prompt more, a lower one the clip; the paper takes 12.5.":
        "**Sampler**：cfg 越高越贴近提示词，越低越贴近原视频；论文用 12.5。",
    # masks
    "**Masks**: a folder with a video per clip, of the clip's name and length, white where the subject is.":
        "**Masks**：一个文件夹，每段视频对应一段同名、同长度的遮罩视频，主体处为白色。",
    "**Checkpoint**: the image model that is to learn it. What learns from the masks, and how much, is in *Motion "
    "Training Settings*: connect it to **Train**.":
        "**Checkpoint**：要学习运动的图像模型。由什么来学习遮罩、权重多少，在 *Motion Training Settings* "
        "中设置：把它接到 **Train**。",
    "**Background model**: a BiRefNet file in *models/background_removal*; **Look first** shows what it finds.":
        "**Background model**：*models/background_removal* 中的 BiRefNet 文件；**Look first** 显示它找到的主体。",
    "**Masks**: a folder of them: the miniature has no background remover, the published form has one here.":
        "**Masks**：遮罩文件夹：微型模型没有背景去除模型，正式模板此处用它。",
    "**Motion adapter**: the motion to use; train one with the template *train_motion_lamp*, then press R to refresh "
    "the list. It must have been trained with masks: template *train_motion_masks*.":
        "**Motion adapter**：要使用的运动，须带遮罩训练：模板 *train_motion_masks*；训练后按 R 刷新列表。",
    "**First frame**: your picture; **Background**: what its subject is to be laid over, as many times as there are "
    "frames in **Sampler**.":
        "**First frame**：你的图片；**Background**：主体要叠加到的背景，重复次数等于 **Sampler** 的帧数。",
    # measuring
    "**Videos**: a folder in ComfyUI's *input* folder with the videos to measure, beside each a .txt file of the same "
    "name with its prompt.":
        "**Videos**：ComfyUI 的 *input* 文件夹中的一个子文件夹，内有要评测的视频，每段旁边放一个同名 "
        ".txt 文件，写明其提示词。",
    "**CLIP**: a file with both towers of CLIP, in *models/clip_vision*.":
        "**CLIP**：*models/clip_vision* 中含 CLIP 两塔的文件。",
    "**Optical flow**: RAFT, in *models/optical_flow*; delete the node, and a flow is computed that needs no model.":
        "**Optical flow**：*models/optical_flow* 中的 RAFT；删除该节点则改用无需模型的光流算法。",
    "A few seconds per video; the numbers are also kept in *output/metrics*.":
        "每段视频几秒；数值同时保存在 *output/metrics*。",
    "**Flicker**: without an optical flow model it is computed by a method that needs none.":
        "**Flicker**：没有光流模型时，用无需模型的算法计算。",
    "**Generated** and **Real**: folders in ComfyUI's *input* folder, as many videos in either, 256 and more if you "
    "can.":
        "**Generated** 与 **Real**：ComfyUI 的 *input* 文件夹中的两个子文件夹，视频数相同，尽量不少于 256 段。",
    "**Distance**: I3D's weights, in *models/i3d*; and how many frames of every video are compared.":
        "**Distance**：*models/i3d* 中的 I3D 权重；以及每段视频比较多少帧。",
    "**Distance**: under *keep_reference_as* the real set's numbers are kept; next time choose them as "
    "*kept_reference*, without **Real**.":
        "**Distance**：以 *keep_reference_as* 的名称保存真实视频的数值；下次在 *kept_reference* 中选用，"
        "不再需要 **Real**。",
    "A second or two per video on a CPU; the report says how sure the number is.":
        "在 CPU 上每段视频一两秒；报告会说明数值有多可靠。",
    "**Other motion adapter**: what it is compared with. Both get the same words, first frame, noise and seeds.":
        "**Other motion adapter**：与之比较的另一个。两者用同样的提示词、首帧、噪声和种子。",
    "**Numbers**, **Other numbers**: a file with both towers of CLIP, in *models/clip_vision*. Every run adds lines to "
    "*output/metrics*.":
        "**Numbers**、**Other numbers**：*models/clip_vision* 中含 CLIP 两塔的文件。每次运行都会在 "
        "*output/metrics* 中追加几行。",
    # directing
    "**First frame**: your picture; paint what is to move in its mask editor (right click). The rest stays as it is.":
        "**First frame**：你的图片；右键打开遮罩编辑器，涂出要动的部分，其余保持不变。",
    "**First frame**: your picture; **Scale** is the size of the first pass, **Scale first frame** and **Scale clip** "
    "that of the second.":
        "**First frame**：你的图片；**Scale** 是第一遍的尺寸，**Scale first frame** 与 **Scale clip** 是第二遍的尺寸。",
    "**Refine**: *denoise* is how much is drawn anew; at 0.5 the motion stays.":
        "**Refine**：*denoise* 是重画的比例；取 0.5 时运动保持不变。",
    "Takes about 1.7 times as long as 16 small pictures and half of 16 large ones, and the memory of 16 large ones.":
        "耗时约为 16 张小图再加 16 张大图一半的 1.7 倍，内存相当于 16 张大图。",
    "**LCM LoRA**: what lets the checkpoint draw in four steps; another one of its kind may want another sampler.":
        "**LCM LoRA**：让模型四步成图的 LoRA；换用同类的其他 LoRA 时，采样器可能也要换。",
    "Takes about 1.7 times as long as four steps of 16 pictures without guidance. 16 frames of 512 x 512 by SD 1.5 fit "
    "a card of 6 GB.":
        f"耗时约为 16 张图无引导四步的 1.7 倍。{_FITS}",
    "**Checkpoint**, **Motion adapter**: an image model, and a motion module for few steps, as AnimateLCM's.":
        "**Checkpoint**、**Motion adapter**：图像模型，以及适合少步数的运动模块，如 AnimateLCM 的。",
    "Four calls of the model for every new frame, each about 1.7 times a step of 16 pictures without guidance. 16 "
    "frames of 512 x 512 by SD 1.5 fit a card of 6 GB.":
        f"每个新帧调用模型四次，每次约为 16 张图无引导一步的 1.7 倍。{_FITS}",
    "**Prompt**: what the picture shows, and the motion in the words of the adapter's captions. All other values are "
    "those of LAMP's code.":
        f"**Prompt**：图片的内容，{_WORDS}其余数值均与 LAMP 的代码相同。",
    "50 steps. Takes about 1.7 times as long as 16 pictures of this size. 16 frames of 512 x 512 by SD 1.5 fit a card "
    "of 6 GB.":
        f"共 50 步。{_COST}",
    "**Match late frames**: from frame 9 on, as in the system's code; a shorter clip is left as it is.":
        "**Match late frames**：从第 9 帧起，与该系统的代码相同；更短的视频保持原样。",
    "Takes about twice as long as 16 pictures of this size in 10 steps. 16 frames of 512 x 512 by SD 1.5 fit a card of "
    "6 GB.":
        f"耗时约为同尺寸 16 张图各 10 步的两倍。{_FITS}",
    "**Checkpoint**: SD 1.5 or a model made from it; the release takes Dreamlike Photoreal 2.0.":
        "**Checkpoint**：SD 1.5 或由它训练而来的模型；发布的代码用 Dreamlike Photoreal 2.0。",
    "**Motion**: the release's 12, 12 moves the grid under the picture, so what is seen goes left and up: -12, -12.":
        "**Motion**：发布代码中的 12, 12 移动的是画面下的网格，因此看到的内容向左上移动：-12, -12。",
    "**Prompt**: what is to be seen, then the words that the release adds to every prompt. All other values are those "
    "of its code.":
        "**Prompt**：先写画面内容，其后是发布代码加在每条提示词后面的话。其余数值均与其代码相同。",
    "50 steps. Takes as long as 8 pictures of this size, and their memory.":
        "共 50 步。耗时与内存相当于同尺寸的 8 张图。",
    "**Motion adapter**: a motion that learnt to head for a last frame: train it with the template *train_motion_lamp* "
    "and *both_ends* of *Motion Training Settings* on, then press R to refresh the list. Any other motion jumps into "
    "it.":
        "**Motion adapter**：学过走向末帧的运动：用模板 *train_motion_lamp* 训练，并打开 *Motion Training Settings* 的 "
        "*both_ends*，然后按 R 刷新列表。其他运动会跳到末帧。",
    "**Motion adapter**: a motion that comes back by itself, as an orbit does; any other has to learn it, with "
    "*both_ends* of *Motion Training Settings* on.":
        "**Motion adapter**：会自己回到起点的运动，如环绕；其他运动要打开 *Motion Training Settings* 的 *both_ends* "
        "来学习。",
    "**First picture**, **Last picture**: where the clip begins and where it ends; both stay exact.":
        "**First picture**、**Last picture**：片段的开头与结尾；两者都保持不变。",
    "Two clips of 16 frames, and a few seconds to measure each.": "两段 16 帧的视频，每段另需几秒评测。",
}  # fmt: skip
